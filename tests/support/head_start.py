"""A chunk log in memory, its log pass, and a head start over both."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from roggia_embedder.embedding.parts import Target
from roggia_embedder.embedding.vectors import VectorSupply
from roggia_embedder.generations.headstart import Filling, HeadStart, LaneLimits
from roggia_embedder.generations.key_index import Place
from roggia_embedder.generations.order import OrderRules
from roggia_embedder.generations.share import CountedModel, EncoderShare
from roggia_embedder.handlers.embed import EmbedHandler
from roggia_embedder.ports import VectorCache
from roggia_runtime.errors import UnavailableError
from roggia_runtime.ranges import Span
from roggia_runtime.records import Record
from roggia_schemas import topics
from roggia_schemas.events import DocPopularity

from tests.support.embedding import CountingModel, MemoryCache, chunk_set, codec

NOW = 1_700_000_000_000
HALF_LIFE = 7 * 86_400_000


def popularity(doc_id: str, score: float, domain: str = "docs", as_of: int = NOW) -> DocPopularity:
    """The record of a document's score."""
    return DocPopularity(
        event_id="01941f2a-0000-7000-8000-000000000009",
        occurred_at=as_of,
        tenant_id="acme",
        domain=domain,
        doc_id=doc_id,
        score=score,
        as_of=as_of,
        half_life_ms=HALF_LIFE,
        requests=1,
    )


def scores(**of: float) -> dict[str, DocPopularity]:
    """Rows as the table has them."""
    return {f"acme/{doc_id}": popularity(doc_id, score) for doc_id, score in of.items()}


class MemoryLog:
    """A `ChunkLog` of some partitions. `read_at` remembers what was read by place."""

    def __init__(self, partitions: int = 1) -> None:
        self.held: dict[int, list[Record]] = {n: [] for n in range(partitions)}
        self.read_at: list[str] = []
        self.opened = 0
        self.fails = 0

    async def __aenter__(self) -> Self:
        """See `ChunkLog`."""
        self.opened += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        """See `ChunkLog`."""

    def write(self, doc_id: str, texts: Sequence[str], revision: int = 1, **fields: Any) -> Record:
        """One more record."""
        output = codec().output(topics.doc_chunked(1), chunk_set(doc_id, texts, revision, **fields))
        return self.append(output.key or b"", output.value)

    def append(self, key: bytes, value: bytes | None) -> Record:
        """The same for any bytes."""
        number = zlib.crc32(key) % len(self.held)
        record = Record(topics.doc_chunked(1), number, len(self.held[number]), NOW, key, value)
        self.held[number].append(record)
        return record

    def compact(self) -> None:
        """Forget all but the newest record of every key; offsets stay."""
        for number, records in self.held.items():
            newest = {record.key: record for record in records}
            self.held[number] = list(newest.values())

    async def spans(self) -> dict[int, Span]:
        """See `ChunkLog`."""
        if self.fails:
            self.fails -= 1
            raise UnavailableError("Kafka does not answer")
        return {n: Span(0, records[-1].offset + 1 if records else 0) for n, records in self.held.items()}

    async def scan(self, spans: Mapping[int, Span]) -> AsyncGenerator[Record]:
        """See `ChunkLog`."""
        for number, span in spans.items():
            for record in list(self.held[number]):
                if span.first <= record.offset < span.end:
                    yield record

    async def read(self, places: Sequence[Place]) -> list[Record]:
        """See `ChunkLog`."""
        wanted = {(place.partition, place.offset) for place in places}
        found = [r for records in self.held.values() for r in records if (r.partition, r.offset) in wanted]
        self.read_at += [(record.key or b"").decode() for record in found]
        return found


class Fill:
    """One filling generation: the log pass is moved by hand, the head start runs by itself."""

    def __init__(
        self,
        log: MemoryLog,
        popular: Mapping[str, DocPopularity],
        *,
        cache: VectorCache | None = None,
        selection: Sequence[str] = (),
        share: EncoderShare | None = None,
        rules: OrderRules | None = None,
        **limits: Any,
    ) -> None:
        self.log, self.popular = log, popular
        self.model, self.cache = CountingModel(), cache or MemoryCache()
        self.share = share or EncoderShare(0.5, idle_s=0.0)
        self.positions = dict.fromkeys(log.held, 0)
        self.lane = self.handler(CountedModel(self.model, self.share.lane))
        self.filling = Filling(2, selection, self.lane, popular)
        self.head = HeadStart(
            self.filling,
            log,
            self.progress,
            self.share,
            rules or OrderRules(),
            LaneLimits(**{"round_s": 0.02, "batch_bytes": 1, **limits}),
            lambda: NOW,
        )

    async def progress(self) -> Mapping[int, int]:
        """Where the log pass is."""
        return dict(self.positions)

    def handler(self, model: CountedModel) -> EmbedHandler:
        """An embed handler of the generation over the one cache."""
        return EmbedHandler(
            topic=topics.doc_embedded(2),
            codec=codec(),
            supply=VectorSupply(model, self.cache),
            target=Target(2, model.fingerprint, model.dimension, 1 << 20),
            window=model.window,
        )

    async def log_pass(self, partition: int, records: int) -> None:
        """Judge the next records of a partition, as the consumer loop would."""
        start = self.positions[partition]
        batch = [r for r in self.log.held[partition] if r.offset >= start][:records]
        await self.handler(CountedModel(self.model, self.share.log)).handle(batch)
        self.positions[partition] = batch[-1].offset + 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[HeadStart]:
        """Run the head start until the block ends."""
        work = asyncio.create_task(self.head.run())
        try:
            yield self.head
        finally:
            self.head.stop()
            await work
