"""Answers as the query role tells of them, and a service that counts them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate

from roggia_embedder import app
from roggia_embedder.popularity.settings import PopularitySettings
from roggia_embedder.settings import EmbedderOptions, EmbedderSettings
from roggia_runtime import ids
from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.ranges import RangeReader
from roggia_runtime.records import Output, Partition
from roggia_runtime.service import Service
from roggia_runtime.settings import HttpSettings, KafkaSettings, RegistrySettings
from roggia_schemas.events import DocPopularity, RetrievalServed, RetrievedPassage
from roggia_schemas.topics import DOC_POPULARITY, RETRIEVAL_SERVED

CHUNK = "0b7d1a52-3a7e-5d53-8f0b-6b1c2d3e4f50"
QUICK = PopularitySettings(half_life_s=3600, interval_s=0.3, tolerance=0.0, tell_every_s=0.1)


def served(doc_ids: Sequence[str], at: int, tenant_id: str = "acme", domain: str = "docs") -> RetrievalServed:
    """One answer with these documents, best first."""
    return RetrievalServed(
        event_id=ids.uuid7(),
        occurred_at=at,
        tenant_id=tenant_id,
        domain=domain,
        generation=1,
        collection=f"kb_{tenant_id}_{domain}__g1",
        model="stub",
        mode="hybrid",
        k=len(doc_ids),
        latency_ms=1.0,
        results=tuple(RetrievedPassage(doc_id=one, chunk_id=CHUNK, revision=1, score=1.0) for one in doc_ids),
    )


class Zipf:
    """Draws ranks 0..n-1 with probability proportional to 1/(rank+1)^exponent."""

    def __init__(self, n: int, exponent: float, seed: int) -> None:
        self._all = range(n)
        self._sums = list(accumulate((rank + 1) ** -exponent for rank in self._all))
        self._chance = random.Random(seed)

    def draw(self, count: int) -> list[int]:
        """Independent draws."""
        return self._chance.choices(self._all, cum_weights=self._sums, k=count)


def codec() -> EventCodec:
    """A codec without a registry."""
    return EventCodec(RegistrySettings(), source="/test")


async def publish(kafka: KafkaSettings, events: Iterable[RetrievalServed], more: Sequence[Output] = ()) -> None:
    """Produce answers, and what else is given after them."""
    made, producer = codec(), Producer(kafka)
    await producer.start()
    try:
        await producer.deliver([*(made.output(RETRIEVAL_SERVED, event) for event in events), *more])
    finally:
        await producer.stop()


def service(kafka: KafkaSettings, settings: PopularitySettings = QUICK) -> Service:
    """The popularity role, not started."""
    chosen = EmbedderSettings(
        kafka=kafka, http=HttpSettings(port=0), popularity=settings, embedder=EmbedderOptions(model="stub")
    )
    return app.build(chosen, ["popularity"], "popularity")


@asynccontextmanager
async def running(made: Service) -> AsyncIterator[Service]:
    """Run a service until the block ends."""
    work = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.stop()
        await work


async def popular(kafka: KafkaSettings) -> dict[str, DocPopularity | None]:
    """The newest record of every key."""
    found: dict[str, DocPopularity | None] = {}
    made = codec()
    async with RangeReader(kafka) as reader:
        spans = await reader.spans([Partition(DOC_POPULARITY, number) for number in range(6)])
        async for piece in reader.read(spans):
            for record in piece.records:
                key = (record.key or b"").decode()
                found[key] = None if record.value is None else await made.decode(DocPopularity, record)
    return found
