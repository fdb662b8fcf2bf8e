"""Reading fixed ranges of a topic without belonging to a group: what replay jobs and planners scan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from roggia_runtime import clients
from roggia_runtime.denials import translated
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings

_POLL_MS = 200


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets from `first` up to, not including, `end`. Not every offset holds a record."""

    first: int
    end: int

    @property
    def offsets(self) -> int:
        """How many offsets it spans; 0 for an empty one."""
        return max(0, self.end - self.first)


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive committed records of one partition. `position` is the offset to go on at.

    `lost`: offsets that retention removed before they could be read; then there are no records.
    """

    partition: Partition
    records: tuple[Record, ...]
    position: int
    lost: int = 0


async def held(client: AIOKafkaConsumer, tps: list[TopicPartition]) -> dict[Partition, Span]:
    """What partitions hold now, in two requests per broker. For the owner of `client`. Raises `KafkaError`."""
    unknown = {tp.topic: tp for tp in tps if client.partitions_for_topic(tp.topic) is None}
    # The client learns of one topic per try, 0.1 s each, in one request; of all of them in several at once. What is
    # wrong with one of them, the request for all raises too.
    await asyncio.gather(*(client.end_offsets([tp]) for tp in unknown.values()), return_exceptions=True)
    ends = await client.end_offsets(tps)
    firsts = await client.beginning_offsets(tps)
    return {Partition(tp.topic, tp.partition): Span(int(firsts[tp]), int(ends[tp])) for tp in tps}


class RangeReader:
    """Use it as a context manager, from one task at a time.

    Every call raises `UnavailableError` when no broker answers and `AdminError` when Kafka refuses.
    """

    def __init__(self, settings: KafkaSettings, client_id: str = "roggia-ranges") -> None:
        self._settings = settings
        self._client = AIOKafkaConsumer(**clients.reader(settings) | {"client_id": client_id})

    async def __aenter__(self) -> Self:
        try:
            async with translated(self._settings):
                await self._client.start()
            # The client's tasks must have begun, or stopping it at once raises their cancellation.
            await asyncio.sleep(0)
        except BaseException:
            await clients.stop(self._client)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await clients.stop(self._client)

    async def spans(self, partitions: Iterable[Partition]) -> dict[Partition, Span]:
        """What each partition holds now: oldest offset kept to the end that a read-committed reader sees."""
        tps = [TopicPartition(*partition) for partition in partitions]
        if not tps:
            return {}
        async with translated(self._settings):
            return await held(self._client, tps)

    async def at(self, partitions: Iterable[Partition], timestamp_ms: int) -> dict[Partition, int | None]:
        """First offset of each partition whose record is of that time or later; None where there is none."""
        asked = {TopicPartition(*partition): timestamp_ms for partition in partitions}
        if not asked:
            return {}
        async with translated(self._settings):
            found = await self._client.offsets_for_times(asked)
        return {Partition(tp.topic, tp.partition): None if at is None else int(at.offset) for tp, at in found.items()}

    async def read(self, spans: Mapping[Partition, Span], *, max_records: int = 500) -> AsyncIterator[Piece]:
        """Committed records of every span, each partition in order, partitions mixed. Ends when all are read."""
        ends = {TopicPartition(*partition): span.end for partition, span in spans.items() if span.offsets}
        if not ends:
            return
        async with translated(self._settings):
            self._client.assign(list(ends))
            for tp in ends:
                self._client.seek(tp, spans[Partition(tp.topic, tp.partition)].first)
            while ends:
                for piece in await self._poll(ends, max_records):
                    yield piece

    async def _poll(self, ends: dict[TopicPartition, int], max_records: int) -> list[Piece]:
        try:
            found = await self._client.getmany(*ends, timeout_ms=_POLL_MS, max_records=max_records)
        except OffsetOutOfRangeError as error:
            return [await self._skip(tp, int(offset), ends) for tp, offset in error.args[0].items()]
        return [await self._piece(tp, found.get(tp, ()), ends) for tp in list(ends)]

    async def _piece(self, tp: TopicPartition, polled: Iterable[Any], ends: dict[TopicPartition, int]) -> Piece:
        end, position = ends[tp], int(await self._client.position(tp))
        records = tuple(clients.record(r) for r in polled if r.offset < end)
        if position >= end:
            self._close(tp, ends)
        return Piece(Partition(tp.topic, tp.partition), records, min(position, end))

    async def _skip(self, tp: TopicPartition, offset: int, ends: dict[TopicPartition, int]) -> Piece:
        first, end = int((await self._client.beginning_offsets([tp]))[tp]), ends[tp]
        self._client.seek(tp, first)
        if first >= end:
            self._close(tp, ends)
        return Piece(Partition(tp.topic, tp.partition), (), min(first, end), min(first, end) - offset)

    def _close(self, tp: TopicPartition, ends: dict[TopicPartition, int]) -> None:
        ends.pop(tp)
        self._client.pause(tp)
