"""The `Log` of this room on Kafka, over connections that stay open: one of them reads every range."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Self

from roggia_runtime.offsets import Offsets
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings


class KafkaLog:
    """Use it as a context manager, from one task at a time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._offsets = Offsets(settings)
        self._reader = RangeReader(settings, "roggia-letters")
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._offsets)
        await self._open.enter_async_context(self._reader)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def partitions(self) -> Mapping[str, tuple[Partition, ...]]:
        """Every topic with its partitions."""
        return await self._offsets.partitions()

    async def bounds(self, partitions: Iterable[Partition]) -> Mapping[Partition, Span]:
        """Oldest offset kept and next offset to come, of each partition."""
        return await self._offsets.bounds(partitions)

    async def committed(self, groups: Iterable[str]) -> Mapping[str, Mapping[Partition, int]]:
        """Next offset that each group will read, by partition."""
        return await self._offsets.committed(groups)

    def read(self, topic: str, partition: int, start: int, *, end: int) -> AsyncIterator[Record]:
        """Committed records from `start` up to `end`, in offset order."""
        return self.read_all({Partition(topic, partition): Span(start, end)})

    async def read_all(self, spans: Mapping[Partition, Span]) -> AsyncIterator[Record]:
        """Committed records of several partitions at once, each in offset order. What is not there is left out."""
        held = await self._reader.spans(spans)
        there = {
            part: Span(max(span.first, held[part].first), min(span.end, held[part].end)) for part, span in spans.items()
        }
        async for piece in self._reader.read(there):
            for record in piece.records:
                yield record
