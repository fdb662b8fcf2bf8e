"""Reading the chunk log out of its order: all keys once, then single records by their place."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from itertools import zip_longest
from typing import Protocol, Self

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.errors import UnavailableError
from roggia_runtime.offsets import Offsets
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings

from roggia_embedder.generations.key_index import Place

_READ_S = 60.0


class ChunkLog(Protocol):
    """What a head start needs of `doc.chunked.c<K>`. A context manager; every call raises `UnavailableError` or
    `AdminError`."""

    async def __aenter__(self) -> Self:
        """Connect."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        ...

    async def spans(self) -> dict[int, Span]:
        """What each partition holds now."""
        ...

    def scan(self, spans: Mapping[int, Span]) -> AsyncGenerator[Record]:
        """Every record of these offsets."""
        ...

    async def read(self, places: Sequence[Place]) -> list[Record]:
        """The records at places; what compaction has removed meanwhile is left out."""
        ...


class Progress(Protocol):
    """How far the log pass is: called before every round."""

    async def __call__(self) -> Mapping[int, int]:
        """Next offset per partition, of those partitions alone whose log pass this process does: another machine would
        not find what is put into this one's cache. Raises `UnavailableError` or `AdminError`."""
        ...


class KafkaChunkLog:
    """A `ChunkLog` on Kafka, read without a group."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings, self._topic = settings, topic

    async def __aenter__(self) -> Self:
        """See `ChunkLog`."""
        self._reader = await RangeReader(self._settings, "roggia-head-start").__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """See `ChunkLog`."""
        await self._reader.__aexit__()

    async def spans(self) -> dict[int, Span]:
        """See `ChunkLog`."""
        found = await self._reader.spans(await TopicAdmin(self._settings).partitions(self._topic))
        return {partition.number: span for partition, span in found.items()}

    async def scan(self, spans: Mapping[int, Span]) -> AsyncGenerator[Record]:
        """See `ChunkLog`."""
        async for piece in self._reader.read({Partition(self._topic, n): span for n, span in spans.items()}):
            for record in piece.records:
                yield record

    async def read(self, places: Sequence[Place]) -> list[Record]:
        """See `ChunkLog`. One fetch per place, partitions side by side."""
        offsets: dict[int, list[int]] = defaultdict(list)
        for place in places:
            offsets[place.partition].append(place.offset)
        found: list[Record] = []
        try:
            async with asyncio.timeout(_READ_S):
                for row in zip_longest(*(sorted(these) for these in offsets.values())):
                    found += await self._at({n: at for n, at in zip(offsets, row, strict=True) if at is not None})
        except TimeoutError:
            raise UnavailableError(f"{self._topic}: {len(places)} records were not read in {_READ_S:.0f} s") from None
        return found

    async def _at(self, offsets: Mapping[int, int]) -> list[Record]:
        spans = {Partition(self._topic, number): Span(offset, offset + 1) for number, offset in offsets.items()}
        return [record async for piece in self._reader.read(spans, max_records=1) for record in piece.records]


class Committed:
    """A `Progress` by what a group has committed: right where one process does the log pass of all partitions."""

    def __init__(self, settings: KafkaSettings, group: str, topic: str) -> None:
        self._settings, self._group, self._topic = settings, group, topic

    async def __call__(self) -> Mapping[int, int]:
        """See `Progress`."""
        known = await TopicAdmin(self._settings).partitions(self._topic)
        async with Offsets(self._settings) as offsets:
            found = (await offsets.committed([self._group]))[self._group]
        return {partition.number: found.get(partition, 0) for partition in known}


class OwnPartitions:
    """A `Progress` of those partitions that the log pass of this process has: where several processes share a group.
    None before the first assignment."""

    def __init__(self, everything: Progress, topic: str) -> None:
        self._everything, self._topic = everything, topic
        self._own: frozenset[int] = frozenset()

    def assigned(self, positions: Mapping[Partition, int]) -> None:
        """`on_assigned` of the log pass's loop."""
        self._own = frozenset(partition.number for partition in positions if partition.topic == self._topic)

    async def __call__(self) -> Mapping[int, int]:
        """See `Progress`."""
        own = self._own
        return {n: position for n, position in (await self._everything()).items() if n in own} if own else {}
