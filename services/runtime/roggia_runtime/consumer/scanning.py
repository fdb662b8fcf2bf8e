"""Reads the beginnings of many ranges at once with one reader that belongs to no group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from roggia_runtime import clients
from roggia_runtime.ranges import Span
from roggia_runtime.records import Partition, Record

_POLL_MS = 100
_POLL_RECORDS = 2_000


@dataclass(slots=True)
class Seen:
    """What a scan met in one partition."""

    scanned_to: int
    """Every record before this offset was looked at."""
    head: Record | None = None
    """The first record of the range; None where there is none (markers, compacted away) or it was not reached."""
    hit: Record | None = None
    """The first record that was wanted."""
    last: Record | None = None
    """The last record looked at."""
    count: int = 0
    """Records looked at."""


class Scan:
    """One scan. It leaves the reader with everything paused, ready for another."""

    def __init__(
        self,
        reader: AIOKafkaConsumer,
        ranges: Mapping[Partition, Span],
        wanted: Callable[[Record], bool],
        limit: int,
    ) -> None:
        self._reader, self._wanted, self._limit = reader, wanted, limit
        self._ends = {TopicPartition(*where): part.end for where, part in ranges.items() if part.first < part.end}
        self._seen = {TopicPartition(*where): Seen(part.first) for where, part in ranges.items()}
        self._open: set[TopicPartition] = set()

    async def run(self, timeout_s: float) -> dict[Partition, Seen]:
        """Read until every range is answered or the time is over."""
        if self._ends:
            self._reader.assign(list(self._ends))
            for tp in self._ends:
                self._reader.seek(tp, self._seen[tp].scanned_to)
            self._open = set(self._ends)
            try:
                async with asyncio.timeout(timeout_s):
                    await self._read()
            except TimeoutError:
                pass  # the caller sees by scanned_to how far it came
            finally:
                self._close(list(self._open))
        return {Partition(tp.topic, tp.partition): seen for tp, seen in self._seen.items()}

    async def _read(self) -> None:
        while self._open:
            try:
                found = await self._reader.getmany(*self._open, timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
            except OffsetOutOfRangeError as error:  # retention was faster: the next scan begins later
                self._close([tp for tp in self._open if tp in error.args[0]])
                continue
            for tp, records in found.items():
                self._look(tp, [clients.record(r) for r in records])
            for tp in list(self._open):
                position = await self._reader.position(tp)
                self._seen[tp].scanned_to = max(self._seen[tp].scanned_to, min(position, self._ends[tp]))
                if position >= self._ends[tp]:
                    self._close([tp])

    def _look(self, tp: TopicPartition, records: list[Record]) -> None:
        seen = self._seen[tp]
        for record in records:
            if record.offset >= self._ends[tp]:
                return self._close([tp])
            seen.head = seen.head or record
            seen.last, seen.count, seen.scanned_to = record, seen.count + 1, record.offset + 1
            if self._wanted(record):
                seen.hit = record
                return self._close([tp])
            if seen.count >= self._limit:
                return self._close([tp])
        return None

    def _close(self, done: list[TopicPartition]) -> None:
        self._open.difference_update(done)
        self._reader.pause(*done)
