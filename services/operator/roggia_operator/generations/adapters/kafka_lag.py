"""Where the groups of a generation are: asked of Kafka, over connections that stay open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from roggia_runtime.clock import now_ms
from roggia_runtime.errors import AdminError, UnavailableError
from roggia_runtime.offsets import Offsets
from roggia_runtime.ranges import Span
from roggia_runtime.records import Partition
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import IndexGeneration

from roggia_operator.generations.values import Progress


def embed_group(generation: int) -> str:
    """Consumer group that embeds a generation."""
    return f"roggia.embed.g{generation}"


def upsert_group(generation: int) -> str:
    """Consumer group that writes a generation."""
    return f"roggia.upsert.g{generation}"


class KafkaLag:
    """Use it from one event loop; calls wait for each other. `close` it at the end."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._offsets: Offsets | None = None
        self._lock = asyncio.Lock()

    async def look(self, row: IndexGeneration, ends: Mapping[int, int]) -> Progress:
        """Embed's commits are read before the ends of what it wrote, so that what upsert is behind is never too little.
        Raises `UnavailableError`, `AdminError`."""
        async with self._lock:
            try:
                return await self._look(await self._connected(), row, ends)
            except (UnavailableError, AdminError):
                await self._dropped()
                raise

    async def close(self) -> None:
        """Disconnect."""
        async with self._lock:
            await self._dropped()

    async def _look(self, offsets: Offsets, row: IndexGeneration, ends: Mapping[int, int]) -> Progress:
        chunked, embedded = topics.doc_chunked(row.chunker_generation), topics.doc_embedded(row.generation)
        embed, upsert = embed_group(row.generation), upsert_group(row.generation)
        known = await offsets.partitions()
        embed_at = (await offsets.committed([embed]))[embed]
        bounds = await offsets.bounds((*known.get(chunked, ()), *known.get(embedded, ())))
        upsert_at = (await offsets.committed([upsert]))[upsert]
        noted = {
            where: Span(span.first, ends.get(where.number, 0))
            for where, span in bounds.items()
            if where.topic == chunked
        }
        return Progress(
            now_ms(),
            left=behind(noted, embed_at),
            embed_lag=behind(_of(bounds, chunked), embed_at),
            upsert_lag=behind(_of(bounds, embedded), upsert_at),
        )

    async def _connected(self) -> Offsets:
        if self._offsets is None:
            offsets = Offsets(self._kafka)
            await offsets.__aenter__()
            self._offsets = offsets
        return self._offsets

    async def _dropped(self) -> None:
        offsets, self._offsets = self._offsets, None
        if offsets is not None:
            await offsets.close()


def behind(spans: Mapping[Partition, Span], committed: Mapping[Partition, int]) -> int:
    """Offsets of these spans that a group has not committed; all of them where it never committed."""
    return sum(max(0, span.end - max(span.first, committed.get(where, 0))) for where, span in spans.items())


def _of(bounds: Mapping[Partition, Span], topic: str) -> dict[Partition, Span]:
    return {where: span for where, span in bounds.items() if where.topic == topic}
