"""The pipeline's real handlers on logs in memory, with lanes: live first or not, with crashes, as chance decides."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace
from roggia_embedder.adapters.memory import MemoryCatalogue as MemoryIndexCatalogue
from roggia_embedder.adapters.memory import MemoryStore
from roggia_embedder.handlers.upsert import UpsertHandler
from roggia_embedder.ports import Head, Passage
from roggia_runtime import replay
from roggia_runtime.records import DeadLetter, Done, Handler, Output, Partition, Record
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import DocChunked, DocUpserted

from tests.support import embedding, ingesting

CHANGED, CHUNKED, EMBEDDED = topics.DOC_CHANGED, topics.doc_chunked(1), topics.doc_embedded(1)
REPLAYABLE = (CHANGED, CHUNKED, EMBEDDED)


@dataclass
class Logs:
    """Topics of one partition each."""

    topics: dict[str, list[Record]] = field(default_factory=dict)

    def of(self, topic: str) -> list[Record]:
        """Every record of a topic."""
        return self.topics.setdefault(topic, [])

    def append(self, output: Output) -> None:
        """Produce a record."""
        log = self.of(output.topic)
        log.append(
            Record(output.topic, 0, len(log), 1_700_000_000_000, output.key, output.value, tuple(output.headers))
        )

    def replay(self, topic: str, start: int, end: int, mode: str) -> None:
        """Send a range through the topic's lane, as a replay job does."""
        for record in self.of(topic)[start:end]:
            told = {
                replay.JOB: "j1",
                replay.TOPIC: topic,
                replay.PARTITION: "0",
                replay.OFFSET: str(record.offset),
                replay.MODE: mode,
            }
            kept = tuple(header for header in record.headers if header[0] not in told)
            headers = kept + tuple((name, text.encode()) for name, text in told.items())
            self.append(Output(topics.replay(topic), record.key, record.value, headers))


class Stage(ABC):
    """One stage's consumer: a position per side, batches of one side, outcomes as the loop's delivery modes have them.

    Transactional: outputs and position or neither, for one batch or for two that were under way. At least once: outputs
    without the position, or neither.
    """

    def __init__(self, logs: Logs, live: str, *, transactional: bool) -> None:
        self._logs = logs
        self._live = live
        self._transactional = transactional
        self.positions = {live: 0, topics.replay(live): 0}
        self.dead: list[DeadLetter] = []
        self.handler = self.made()

    @abstractmethod
    def made(self) -> Handler:
        """A new process's handler."""

    def behind(self, topic: str) -> int:
        """Records not consumed."""
        return len(self._logs.of(topic)) - self.positions[topic]

    async def step(self, lane: bool, sizes: Sequence[int], fate: str) -> None:
        """Handle batches of one side, one after the other, and let `fate` say what becomes of all of them."""
        topic = topics.replay(self._live) if lane else self._live
        position, produced = self.positions[topic], list[Output]()
        for size in sizes:
            batch = self._logs.of(topic)[position : position + size]
            if batch:
                produced += await self._handled(batch)
                position += len(batch)
        if fate == "commit" or (fate == "produced" and not self._transactional):
            for output in produced:
                self._logs.append(output)
        if fate == "commit":
            self.positions[topic] = position
        else:
            self.restart()

    async def _handled(self, batch: Sequence[Record]) -> list[Output]:
        verdicts = await self.handler.handle(batch)
        self.dead += [verdict for verdict in verdicts if isinstance(verdict, DeadLetter)]
        return [output for verdict in verdicts if isinstance(verdict, Done) for output in verdict.outputs]

    def restart(self) -> None:
        """The process dies, and another one starts at what is committed."""
        self.handler = self.made()


class Ingest(Stage):
    """doc.changed → doc.chunked."""

    def __init__(self, logs: Logs) -> None:
        self._catalogue = ingesting.MemoryCatalogue()
        super().__init__(logs, CHANGED, transactional=True)

    def made(self) -> Handler:
        """A handler that is told where it starts."""
        handler = ingesting.handler(self._catalogue)
        handler.assigned({Partition(topic, 0): position for topic, position in self.positions.items()})
        return handler


class Embed(Stage):
    """doc.chunked → doc.embedded."""

    def __init__(self, logs: Logs) -> None:
        self.model, self.cache = embedding.CountingModel(window=1024), embedding.MemoryCache()
        super().__init__(logs, CHUNKED, transactional=False)

    def made(self) -> Handler:
        """A handler on the same cache."""
        return embedding.handler(self.model, self.cache, part_bytes=400)


class Upsert(Stage):
    """doc.embedded → the index."""

    def __init__(self, logs: Logs) -> None:
        self.store, self._catalogue = MemoryStore(), MemoryIndexCatalogue()
        super().__init__(logs, EMBEDDED, transactional=False)

    def made(self) -> Handler:
        """A handler on the same store."""
        return UpsertHandler(
            codec=ingesting.codec(), store=self.store, catalogue=self._catalogue, generation=1, clock=lambda: 7
        )


class Line:
    """The three stages in a row."""

    def __init__(self) -> None:
        self.logs = Logs()
        self.ingest, self.embed, self.upsert = Ingest(self.logs), Embed(self.logs), Upsert(self.logs)
        self.stages: tuple[Stage, ...] = (self.ingest, self.embed, self.upsert)

    async def drain(self) -> None:
        """Work until nothing is left, live first, without a fault."""
        busy = True
        while busy:
            busy = False
            for stage in self.stages:
                live, lane = stage.positions
                if stage.behind(live) or stage.behind(lane):
                    busy = True
                    await stage.step(not stage.behind(live), [5], "commit")

    async def disturb(self, chance: random.Random) -> None:
        """One stage works on one side, more or less well."""
        stage = chance.choice(self.stages)
        fate = chance.choice(["commit"] * 6 + ["produced", "lost"])
        await stage.step(chance.random() < 0.5, [chance.randint(1, 4) for _ in range(chance.randint(1, 2))], fate)

    async def index(self, *, epochs: bool) -> set[tuple[object, ...]]:
        """Every passage and every head's state; with epochs or without."""
        rows: set[tuple[object, ...]] = set()
        for spec in await self.upsert.store.collections():
            async for found in self.upsert.store.scan(spec.name):
                rows.add((spec.name, *_brief(found, epochs=epochs)))
        return rows

    def corpus(self, *, epochs: bool) -> dict[bytes | None, DocChunked]:
        """What compaction leaves of doc.chunked: the last record of every document."""
        last = {record.key: Codec().decode(DocChunked, record.value or b"") for record in self.logs.of(CHUNKED)}
        return last if epochs else {key: _without_epoch(event) for key, event in last.items()}

    def newest(self) -> bool:
        """Whether the last chunk set of every document is its newest, too."""
        best: dict[bytes | None, tuple[int, int]] = {}
        last: dict[bytes | None, tuple[int, int]] = {}
        for record in self.logs.of(CHUNKED):
            event = Codec().decode(DocChunked, record.value or b"")
            last[record.key] = (event.revision, event.epoch)
            best[record.key] = max(best.get(record.key, (0, 0)), last[record.key])
        return last == best

    def told(self) -> set[str]:
        """Ids of doc.upserted events of content, as a consumer that counts by id sees them."""
        events = [Codec().decode(DocUpserted, record.value or b"") for record in self.logs.of(topics.DOC_UPSERTED)]
        return {event.event_id for event in events if not event.deleted}


def _brief(found: Head | Passage, *, epochs: bool) -> tuple[object, ...]:
    if isinstance(found, Head):
        epoch = found.version.epoch if epochs else None
        complete = found.indexed_at is not None
        return ("head", found.document, found.version.revision, epoch, found.deleted, found.total, complete)
    held = found.attributes
    epoch = held.version.epoch if epochs else None
    return (held.chunk_id, held.document, held.version.revision, epoch, held.acl, found.text, found.dense.tobytes())


def _without_epoch(event: DocChunked) -> DocChunked:
    return replace(event, epoch=0, event_id="" if event.deleted else event.event_id)
