"""The processes of a migration: one of each service, three that answer queries, one PostgreSQL behind them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from roggia_embedder.adapters.models.stub import StubModel
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import RegistrySettings
from roggia_schemas.events import GenerationModel

from tests.support.generations import groups
from tests.support.processes import free_port
from tests.support.storm.crew import Crew
from tests.support.storm.plan import Scale
from tests.support.storm.run import Ground
from tests.support.storm.slow_model import LATENCY

QUERIES = ("query", "query-2", "query-3")
SERVICES = ("ingest", "embed", "upsert", *QUERIES, "operator")
DIMENSION = 64
WINDOW = 512
MODEL = GenerationModel(uri="stub:2", dimension=DIMENSION, window=WINDOW)
"""The second generation's: of the same dimension as the first one's, so that nothing but its numbers tells a vector."""


def model_of(generation: int) -> StubModel:
    """The model of a generation, without its latency."""
    return StubModel(DIMENSION, WINDOW, seed={1: 0, 2: 2}[generation])


class Ensemble(Crew):
    """`batch_s`: seconds of one batch of the models. `again_s`: after which the controller asks once more. `codec`
    speaks to the registry of the services."""

    def __init__(
        self,
        ground: Ground,
        data: Path,
        dsn: str,
        *,
        batch_s: float = 0.0,
        session_s: float = 6.0,
        again_s: float = 0.5,
    ) -> None:
        content = data / "content"
        content.mkdir(parents=True)
        scale = Scale(session_s=session_s)
        super().__init__(ground.broker, ground.nursery, data, data, ground.registry.url, content, scale)
        self.dsn = dsn
        self.codec = EventCodec(RegistrySettings(url=ground.registry.url), source="/test", register=True)
        self._ports = {name: free_port() for name in QUERIES}
        self.environment |= {
            LATENCY: str(batch_s),
            "ROGGIA_EMBEDDER_STORE": dsn,
            "ROGGIA_EMBEDDER_DIMENSION": str(DIMENSION),
            "ROGGIA_EMBEDDER_RETIRE_GRACE_S": "1",
            "ROGGIA_OPERATOR_CONSOLE_PORT": "0",
            "ROGGIA_OPERATOR_CONSOLE_INDEX_URL": self.url(QUERIES[0]),
            "ROGGIA_OPERATOR_MODELS_URI": f"sqlite:///{data / 'mlflow.sqlite3'}",
            "ROGGIA_OPERATOR_GENERATIONS_GRACE_S": "0",
            "ROGGIA_OPERATOR_GENERATIONS_AGAIN_S": str(again_s),
            "ROGGIA_OPERATOR_GENERATIONS_TICK_S": "0.2",
        }

    async def begin(self) -> None:
        """Start every process, and `codec`."""
        await self.codec.start()
        await asyncio.gather(*(asyncio.to_thread(self.start, name, **self._own(name)) for name in SERVICES))

    async def end(self) -> None:
        """kill -9 to every process, and an end to `codec`."""
        self.kill_all()
        await self.codec.stop()

    def url(self, name: str) -> str:
        """Where a query process answers."""
        return f"http://127.0.0.1:{self._ports[name]}"

    def two(self) -> None:
        """Two generations are under way: both have to reach the end of the log."""
        self.groups |= groups(2)

    def one(self) -> None:
        """The first generation is retired."""
        self.groups = {group: topic for group, topic in self.groups.items() if group not in groups(1)}

    def _own(self, name: str) -> dict[str, str]:
        return {"ROGGIA_EMBEDDER_QUERY_PORT": str(self._ports[name])} if name in QUERIES else {}
