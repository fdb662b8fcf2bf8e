"""Real services, real letters, and the operator that redrives them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from roggia.cli.app import app
from roggia.errors import exit_code
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Output
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, Operation
from typer.testing import CliRunner

from tests.support.fleet import Fleet
from tests.support.kafka import Broker
from tests.support.processes import ServerProcess, free_port

LIMIT = "ROGGIA_INGEST_MAX_EVENT_BYTES"


class RedriveFleet:
    """Ingest, embed and index on one broker, an operator, and the command line. Content above a limit is refused."""

    def __init__(self, broker: Broker, data: Path) -> None:
        self.broker, self.data = broker, data
        self.fleet = Fleet(broker, data, environment={LIMIT: "4096", "ROGGIA_INGEST_DLQ__MAX_SHARE": "1"})
        self.operator = self._operator()
        self._codec = EventCodec(RegistrySettings(), source="/test")

    def raise_limit(self) -> None:
        """Mend the cause: ingest starts again with room enough."""
        self.fleet.stop("ingest")
        self.fleet.environment[LIMIT] = str(1 << 20)
        del self.fleet.processes["ingest"]
        self.fleet.start("ingest")

    async def publish(self, doc_ids: list[str], size: int, revision: int = 1) -> None:
        """Documents of about `size` bytes."""
        await self.fleet.produce([self._output(doc_id, size, revision) for doc_id in doc_ids])

    async def call(self, *arguments: str, status: int = 0) -> Any:
        """A command of `roggia dlq`; its JSON where it printed some, else its text."""
        return await asyncio.to_thread(_command, [*arguments, "--bootstrap", self.broker.bootstrap], status)

    async def ended(self, job_id: str, within_s: float = 90.0) -> dict[str, Any]:
        """The job once it has ended, as `roggia dlq jobs` shows it."""
        deadline = time.monotonic() + within_s
        while True:
            (row,) = await self.call("jobs", job_id, "--json")
            if row["status"] in ("DONE", "FAILED", "CANCELLED"):
                return dict(row)
            assert time.monotonic() < deadline, row

    def kill_all(self) -> None:
        """kill -9 to everything."""
        self.operator.kill()
        self.fleet.kill_all()

    def _output(self, doc_id: str, size: int, revision: int) -> Output:
        words = " ".join(f"{doc_id.replace('/', ' ')} mill {n}." for n in range(size // 12))
        event = DocChanged(
            event_id="018bcfe5-0000-7000-8000-000000000001",
            occurred_at=int(time.time() * 1000),
            tenant_id="acme",
            domain="docs",
            doc_id=doc_id,
            revision=revision,
            operation=Operation.UPSERT,
            content_type="text/plain",
            content=words.encode(),
            acl=("*",),
        )
        return self._codec.output(topics.DOC_CHANGED, event)

    def _operator(self) -> ServerProcess:
        port = free_port()
        environment = {
            "ROGGIA_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "ROGGIA_KAFKA_TRANSACTION_TIMEOUT_MS": "8000",
            "ROGGIA_HTTP_PORT": str(port),
            "ROGGIA_OPERATOR_CONSOLE_PORT": str(free_port()),
        }
        return ServerProcess([sys.executable, "-m", "roggia_operator"], port, self.data / "operator.log", environment)


def _command(arguments: list[str], status: int) -> Any:
    """In this process, because a new one costs seconds each."""
    ran = CliRunner().invoke(app, ["dlq", *arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})
    failed = isinstance(ran.exception, Exception)
    ended = exit_code(ran.exception) if isinstance(ran.exception, Exception) else ran.exit_code
    said = f"{ran.output}{ran.exception if failed else ''}"
    assert ended == status, f"{arguments}: {ended}\n{said}"
    try:
        return json.loads(ran.stdout)
    except ValueError:
        return said
