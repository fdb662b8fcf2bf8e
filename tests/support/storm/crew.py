"""The service processes of a run: some frozen, some dead, always known by name."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.fleet import Fleet
from tests.support.kafka import Broker
from tests.support.processes import ServerProcess
from tests.support.storm.index_process import FAULTS
from tests.support.storm.nursery import Nursery
from tests.support.storm.plan import Scale

_STOP_S = 45.0


class Crew(Fleet):
    """A fleet whose processes can be frozen. `disk` holds the catalogue and the vector cache."""

    def __init__(  # what a run consists of
        self,
        broker: Broker,
        nursery: Nursery,
        data: Path,
        disk: Path,
        registry_url: str,
        content: Path,
        scale: Scale,
    ) -> None:
        self._nursery = nursery
        session = int(scale.session_s * 1000)
        super().__init__(
            broker,
            data,
            environment={
                "ROGGIA_REGISTRY_URL": registry_url,
                "ROGGIA_ENVIRONMENT": "development",
                "ROGGIA_KAFKA_SESSION_TIMEOUT_MS": str(session),
                "ROGGIA_KAFKA_HEARTBEAT_INTERVAL_MS": str(session // 6),
                "ROGGIA_KAFKA_RETRY_MAX_S": "2",
                "ROGGIA_KAFKA_STOP_DEADLINE_S": "10",
                "ROGGIA_INGEST_CATALOGUE": f"sqlite:///{disk / 'catalogue.sqlite3'}",
                "ROGGIA_INGEST_CONTENT_ROOT": str(content),
                "ROGGIA_INGEST_DLQ__MAX_RECORDS": "1000000",
                "ROGGIA_INGEST_DLQ__MAX_SHARE": "1",
                "ROGGIA_INGEST_EXPIRY_INTERVAL_S": "2",
                "ROGGIA_EMBEDDER_CACHE": str(disk / "vectors.sqlite3"),
                FAULTS: str(data / "store-faults.json"),
            },
        )
        self.frozen: set[str] = set()

    def of(self, kind: str) -> list[str]:
        """Names of a kind's processes, those that are awake first."""
        names = sorted(name for name in self.processes if name.partition("-")[0] == kind)
        return sorted(names, key=self.frozen.__contains__)

    def another(self, kind: str) -> str:
        """A name for one more process of a kind."""
        return next(name for number in range(2, 99) if (name := f"{kind}-{number}") not in self.processes)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.frozen.add(name)
        self.processes[name].freeze()

    def wake(self, name: str) -> None:
        """SIGCONT, unless the process was killed meanwhile."""
        if name in self.frozen and name in self.processes:
            self.processes[name].wake()
        self.frozen.discard(name)

    def kill(self, *names: str) -> None:
        """kill -9, also of what is frozen."""
        self.frozen.difference_update(names)
        super().kill(*names)

    async def leave(self, name: str) -> None:
        """SIGTERM, and a clean exit however long brokers and databases keep the process waiting (45 s at most)."""
        process = self.processes[name]
        os.kill(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        while process.running():
            assert time.monotonic() < deadline, f"{name} does not stop:\n{self._tail(name)}"
            await asyncio.sleep(0.05)
        assert process.status == 0, f"{name} left with {process.status}:\n{self._tail(name)}"

    def dead(self) -> list[str]:
        """What ended by itself."""
        return [name for name, process in self.processes.items() if not process.running()]

    def tails(self, names: Sequence[str] | None = None) -> str:
        """The ends of logs, for a failure."""
        return "\n".join(self._tail(name, 12) for name in (self.processes if names is None else names))

    def _process(self, name: str, environment: Mapping[str, str]) -> ServerProcess:
        kind = name.partition("-")[0]
        process = super()._process(name, environment)
        return _Forked(self._nursery, kind, process)


class _Forked(ServerProcess):
    """A service process that the nursery forks."""

    def __init__(self, nursery: Nursery, kind: str, like: ServerProcess) -> None:
        super().__init__(like.command, like.port, like.log)
        self._env = like._env
        self._nursery, self._kind = nursery, kind

    def _begin(self) -> Any:
        return self._nursery.born(self._kind, self.log, self._env)
