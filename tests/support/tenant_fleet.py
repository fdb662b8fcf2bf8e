"""Real services with several tenants' documents, an operator, and what is left of a tenant in files."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from roggia_runtime.codec import EventCodec
from roggia_runtime.ids import uuid7
from roggia_runtime.records import Output
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, Operation

from tests.support.fleet import Fleet
from tests.support.kafka import Broker
from tests.support.processes import ServerProcess, free_port

SERVICES = ("ingest", "embed", "index")


class TenantFleet:
    """Ingest, embed and index on one broker, an operator, and the command line."""

    def __init__(self, broker: Broker, data: Path) -> None:
        self.broker, self.data = broker, data
        self.fleet = Fleet(broker, data)
        self.operator = self._operator()
        self._codec = EventCodec(RegistrySettings(), source="/test")

    def start(self) -> None:
        """Start everything."""
        for name in SERVICES:
            self.fleet.start(name)
        self.operator.start()

    async def publish(self, tenant: str, doc_ids: Sequence[str], domain: str = "docs", revision: int = 1) -> None:
        """Documents whose text is the same for every tenant."""
        await self.fleet.produce([self._output(tenant, doc_id, domain, revision) for doc_id in doc_ids])

    def call(self, *arguments: str, status: int = 0, given: str = "") -> Any:
        """A command of `roggia`; its JSON where it printed some, else its text."""
        command = [sys.executable, "-m", "roggia", *arguments, "--bootstrap", self.broker.bootstrap]
        environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
        ran = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=100, env=environment, check=False
        )
        assert ran.returncode == status, f"{arguments}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        try:
            return json.loads(ran.stdout)
        except ValueError:
            return ran.stdout + ran.stderr

    def left(self, tenant: str) -> dict[str, int]:
        """What catalogue, cache and index hold of a tenant, read from their files."""
        return {
            "catalogue": self._count("catalogue.sqlite3", "SELECT count(*) FROM documents WHERE tenant_id = ?", tenant),
            "cache": self._count("vectors.sqlite3", "SELECT count(*) FROM scopes WHERE tenant_id = ?", tenant),
            "vectors": self._count(
                "vectors.sqlite3", "SELECT count(*) FROM vectors JOIN scopes USING (scope) WHERE tenant_id = ?", tenant
            ),
            "collections": len([*(self.data / "index" / "collections").glob(f"kb_{tenant}_*")]),
            "aliases": (self.data / "index" / "aliases.json").read_text().count(f"kb_{tenant}_"),
        }

    def nothing_left(self, tenant: str, within_s: float = 60.0) -> None:
        """Wait until nothing is left. Fails with what is."""
        deadline = time.monotonic() + within_s
        while any((left := self.left(tenant)).values()):
            assert time.monotonic() < deadline, left
            time.sleep(0.2)

    def kill_all(self) -> None:
        """kill -9 to everything."""
        self.operator.kill()
        self.fleet.kill_all()

    def _count(self, file: str, query: str, tenant: str) -> int:
        with closing(sqlite3.connect(self.data / file)) as db:
            return int(db.execute(query, (tenant,)).fetchone()[0])

    def _output(self, tenant: str, doc_id: str, domain: str, revision: int) -> Output:
        event = DocChanged(
            event_id=uuid7(),
            occurred_at=int(time.time() * 1000),
            tenant_id=tenant,
            domain=domain,
            doc_id=doc_id,
            revision=revision,
            operation=Operation.UPSERT,
            content_type="text/plain",
            content=" ".join(f"{doc_id} mill {n}." for n in range(60)).encode(),
            acl=("*",),
        )
        return self._codec.output(topics.DOC_CHANGED, event)

    def _operator(self) -> ServerProcess:
        port = free_port()
        environment = {
            "ROGGIA_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "ROGGIA_HTTP_PORT": str(port),
            "ROGGIA_OPERATOR_CONSOLE_PORT": str(free_port()),
            "ROGGIA_KAFKA_TRANSACTION_TIMEOUT_MS": "8000",
        }
        return ServerProcess([sys.executable, "-m", "roggia_operator"], port, self.data / "operator.log", environment)
