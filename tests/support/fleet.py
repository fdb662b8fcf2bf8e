"""The services of the pipeline as processes that a test owns, on one broker and one data directory."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.offsets import Offsets
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output, Record
from roggia_runtime.settings import KafkaSettings, RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import GenerationState, IndexGeneration

from tests.support.generations import groups
from tests.support.kafka import Broker
from tests.support.lags import live_lags
from tests.support.processes import ServerProcess, free_port

GROUPS = {
    "roggia.ingest": topics.DOC_CHANGED,
    "roggia.embed.g1": topics.doc_chunked(1),
    "roggia.upsert.g1": topics.doc_embedded(1),
}
_COMMANDS = {
    "ingest": ["-m", "roggia_ingest"],
    "embed": ["-m", "roggia_embedder", "embed"],
    "index": ["-m", "roggia_embedder", "index"],
    "upsert": ["-m", "roggia_embedder", "upsert"],
    "query": ["-m", "roggia_embedder", "query"],
    "operator": ["-m", "roggia_operator"],
}


class Fleet:
    """Starts, kills and counts service processes. Every process shares `data` as the services of one machine do."""

    def __init__(
        self, broker: Broker, data: Path, model: str = "stub", environment: Mapping[str, str] | None = None
    ) -> None:
        self.broker, self.data, self._model, self.environment = broker, data, model, dict(environment or {})
        self.kafka = KafkaSettings(bootstrap=broker.bootstrap)
        self.processes: dict[str, ServerProcess] = {}
        self.groups = dict(GROUPS)
        data.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, **environment: str) -> None:
        """Start `name` ("ingest", or "ingest-2" for a second one of a kind), or start it again. `environment` is its
        own, from its first start on."""
        if name not in self.processes:
            self.processes[name] = self._process(name, environment)
        self.processes[name].start()

    async def plan(self, row: IndexGeneration) -> None:
        """Topics of an index generation, and its row on `index.generation`; from then on its groups count too."""
        await self.create(topics.doc_embedded(row.generation))
        self.groups |= groups(row.generation, row.chunker_generation)
        await self.tell(row)

    async def tell(self, row: IndexGeneration) -> None:
        """Another row of an index generation, as the controller writes it. A retired one's groups count no more."""
        if row.state is GenerationState.RETIRED:
            self.groups = {g: t for g, t in self.groups.items() if g not in groups(row.generation)}
        codec = EventCodec(RegistrySettings(), source="/test")
        await self.produce([codec.output(topics.INDEX_GENERATION, row)])

    async def create(self, *names: str) -> None:
        """Further topics of the catalogue, with their lanes and dead letters."""
        async with TopicAdmin(self.kafka) as admin:
            await admin.apply(with_lanes(*names))

    def kill(self, *names: str) -> None:
        """kill -9."""
        for name in names:
            self.processes[name].kill()

    def stop(self, *names: str) -> None:
        """SIGTERM, and expect a clean exit."""
        for name in names:
            status = self.processes[name].stop()
            assert status == 0, f"{name} left with {status}:\n{self._tail(name)}"

    def stop_all(self) -> None:
        """SIGTERM to every process that runs."""
        self.stop(*[name for name, process in self.processes.items() if process.running()])

    def kill_all(self) -> None:
        """kill -9 to every process, for the end of a failed test."""
        self.kill(*self.processes)

    def revive(self) -> list[str]:
        """Start again what has died by itself, as a supervisor would; say which."""
        dead = [name for name, process in self.processes.items() if not process.running()]
        for name in dead:
            self.processes[name].start()
        return dead

    async def settle(self, timeout_s: float) -> None:
        """Wait until every group has consumed its whole topic, twice in a row. Fails with the lags at the deadline."""
        deadline = time.monotonic() + timeout_s
        quiet = 0
        while quiet < 2:
            lags = await self._lags()
            quiet = quiet + 1 if not any(lags.values()) else 0
            dead = [name for name, process in self.processes.items() if not process.running()]
            assert not dead, f"{dead} died:\n" + "\n".join(self._tail(name) for name in dead)
            assert time.monotonic() < deadline, f"still behind after {timeout_s:g} s: {lags}"
            await asyncio.sleep(0.3)

    async def total(self, topic: str) -> int:
        """End offsets of a topic, summed."""
        return sum((await TopicAdmin(self.kafka).end_offsets(topic)).values())

    async def consumed(self, group: str, timeout_s: float) -> None:
        """Wait until one group has consumed its whole topic. Fails at the deadline."""
        deadline = time.monotonic() + timeout_s
        while lag := (await self._lags())[group]:
            assert time.monotonic() < deadline, f"{group} is still {lag} records behind"
            await asyncio.sleep(0.2)

    async def reach(self, topic: str, records: int, patience_s: float = 900.0) -> bool:
        """Wait until a topic's end offsets sum to `records`; say whether they did in time."""
        deadline = time.monotonic() + patience_s
        while (found := await self.total(topic)) < records and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        return found >= records

    async def records(self, topic: str, limit: int | None = None) -> list[Record]:
        """Committed records of a topic, partition by partition in offset order, at most `limit` of each."""
        found: list[Record] = []
        async with TopicAdmin(self.kafka) as admin:
            for partition in await admin.end_offsets(topic):
                taken = 0
                async for record in admin.read(topic, partition, 0):
                    found.append(record)
                    taken += 1
                    if limit is not None and taken >= limit:
                        break
        return found

    async def replay(self, topic: str, limit: int | None = None) -> None:
        """Produce old records of a topic again, byte for byte: late and replayed events."""
        old = await self.records(topic, limit)
        await self.produce([Output(topic, r.key, r.value, tuple(r.headers)) for r in old])

    async def produce(self, outputs: Sequence[Output]) -> None:
        """Produce and wait for the acknowledgements."""
        producer = Producer(self.kafka, "test")
        await producer.start()
        try:
            await producer.send_all(outputs)
        finally:
            await producer.stop()

    async def _lags(self) -> dict[str, int]:
        async with Offsets(self.kafka) as offsets:
            return {group: await behind(offsets, group, topic) for group, topic in self.groups.items()}

    def _process(self, name: str, environment: Mapping[str, str]) -> ServerProcess:
        port = free_port()
        command = [sys.executable, *_COMMANDS[name.partition("-")[0]]]
        return ServerProcess(command, port, self.data / f"{name}.log", self._environment(port) | environment)

    def _environment(self, port: int) -> dict[str, str]:
        return {
            "ROGGIA_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "ROGGIA_KAFKA_SESSION_TIMEOUT_MS": "6000",
            "ROGGIA_KAFKA_HEARTBEAT_INTERVAL_MS": "1000",
            "ROGGIA_KAFKA_TRANSACTION_TIMEOUT_MS": "8000",
            "ROGGIA_HTTP_PORT": str(port),
            "ROGGIA_INGEST_CATALOGUE": f"sqlite:///{self.data / 'catalogue.sqlite3'}",
            "ROGGIA_EMBEDDER_MODEL": self._model,
            "ROGGIA_EMBEDDER_CACHE": str(self.data / "vectors.sqlite3"),
            "ROGGIA_EMBEDDER_STORE": str(self.data / "index"),
            "ROGGIA_EMBEDDER_QUERY_PORT": str(free_port()),
        } | self.environment

    def _tail(self, name: str, lines: int = 25) -> str:
        return f"--- {name}\n" + "\n".join(self.processes[name].log.read_text().splitlines()[-lines:])


async def behind(offsets: Offsets, group: str, topic: str) -> int:
    """Records that a group has not consumed of a live topic and its lane."""
    return sum((await live_lags(offsets, group, topic)).values())


async def until(true: Callable[[], bool], every_s: float) -> None:
    """Wait until `true()`, looking every `every_s` seconds."""
    while not true():
        await asyncio.sleep(every_s)


def with_lanes(*names: str) -> list[topics.TopicSpec]:
    """Topics with their lanes, and the dead letters of both."""
    every = [one for name in names for one in (name, topics.replay(name))]
    return [topics.spec(topic) for one in every for topic in (one, topics.dlq(one))]


async def apply_topics(kafka: KafkaSettings) -> None:
    """Create every topic of the catalogue, as `roggia topics apply` does."""
    async with TopicAdmin(kafka) as admin:
        await admin.apply(topics.catalogue())
