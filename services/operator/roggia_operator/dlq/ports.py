"""What this room asks of Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol

from roggia_runtime.ranges import Span
from roggia_runtime.records import Output, Partition, Record


class Log(Protocol):
    """Reads topics without a group. Raises `UnavailableError` and `AdminError`."""

    async def partitions(self) -> Mapping[str, tuple[Partition, ...]]:
        """Every topic with its partitions."""
        ...

    async def bounds(self, partitions: Iterable[Partition]) -> Mapping[Partition, Span]:
        """Oldest offset kept and next offset to come, of each partition."""
        ...

    async def committed(self, groups: Iterable[str]) -> Mapping[str, Mapping[Partition, int]]:
        """Next offset that each group will read, by partition."""
        ...

    def read(self, topic: str, partition: int, start: int, *, end: int) -> AsyncIterator[Record]:
        """Committed records from `start` up to `end`, in offset order."""
        ...

    def read_all(self, spans: Mapping[Partition, Span]) -> AsyncIterator[Record]:
        """Committed records of several partitions at once, each in offset order. End it before another read."""
        ...


class Sending(Protocol):
    """Produces. `roggia_runtime.producer.Producer` is one."""

    async def send_all(self, outputs: Sequence[Output]) -> list[tuple[int, int]]:
        """Produce in order; return (partition, offset) of each once acknowledged. Raises `ProduceError`."""
        ...
