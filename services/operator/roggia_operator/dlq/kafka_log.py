"""The `Log` of this room on Kafka: two connections that stay open, and one more for each range that is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Self

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.offsets import Offsets
from roggia_runtime.ranges import Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings


class KafkaLog:
    """Use it as a context manager, from one task at a time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._admin = TopicAdmin(settings)
        self._offsets = Offsets(settings)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._offsets)
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
        return self._admin.read(topic, partition, start, end=end)
