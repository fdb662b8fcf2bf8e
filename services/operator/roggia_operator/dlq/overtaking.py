"""Which letters something newer has overtaken: the live partition, read once for the keys of the letters alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Partition, Record

from roggia_operator.dlq.entries import Entry, version
from roggia_operator.dlq.ports import Log


@dataclass(slots=True)
class _Seen:
    """What lies on the live partition for one key. `newest`: offsets rising, versions falling, so that the first behind
    an offset is the highest behind it.
    """

    newest: list[tuple[int, tuple[int, int]]] = field(default_factory=list)
    last: int = -1
    last_ms: int = -1
    null: int = -1
    null_ms: int = -1

    def add(self, record: Record, of: tuple[int, int] | None) -> None:
        self.last, self.last_ms = record.offset, record.timestamp_ms
        if record.value is None:
            self.null, self.null_ms = record.offset, record.timestamp_ms
        elif of is not None:
            while self.newest and self.newest[-1][1] <= of:
                self.newest.pop()
            self.newest.append((record.offset, of))

    def highest(self, after: int) -> tuple[int, tuple[int, int]] | None:
        return next((one for one in self.newest if one[0] > after), None)


class Overtaking:
    """One live partition, as far as it was read. Memory grows with the letters' keys, not with the partition."""

    def __init__(self, log: Log, codec: EventCodec, partition: Partition, entries: Iterable[Entry]) -> None:
        self._log, self._codec, self._partition = log, codec, partition
        ours = list(entries)
        self._seen = {entry.letter.key: _Seen() for entry in ours if entry.letter.key is not None}
        # What was born in the lane has no place here: anything that is kept may be newer.
        self._position = min((e.origin.offset + 1 if e.letter.live_born else 0 for e in ours), default=0)

    async def advance(self) -> None:
        """Read on to the partition's end as it is now."""
        bounds = (await self._log.bounds([self._partition]))[self._partition]
        if self._seen and self._position < bounds.end:
            async for record in self._log.read(*self._partition, max(self._position, bounds.first), end=bounds.end):
                if (seen := self._seen.get(record.key or b"")) is not None:
                    seen.add(record, await version(record, self._partition.topic, self._codec))
        self._position = max(self._position, bounds.end)

    def why(self, entry: Entry) -> str:
        """What has overtaken a letter, in words; empty when nothing has."""
        seen = self._seen.get(entry.letter.key or b"")
        if seen is None or seen.last < 0:
            return ""
        after = entry.origin.offset if entry.letter.live_born else -1
        return self._deleted(seen, entry, after) or self._newer(seen, entry, after)

    def _deleted(self, seen: _Seen, entry: Entry, after: int) -> str:
        later = seen.null > after if entry.letter.live_born else seen.null_ms > entry.letter.timestamp_ms
        return f"a null record at {self._at(seen.null)} deletes its key" if seen.null >= 0 and later else ""

    def _newer(self, seen: _Seen, entry: Entry, after: int) -> str:
        if entry.version is None:
            later = seen.last > after if entry.letter.live_born else seen.last_ms > entry.letter.timestamp_ms
            where = f"it has no revision that can be read, and a newer record of its key lies at {self._at(seen.last)}"
            return where if later else ""
        highest = seen.highest(after)
        if highest is None or highest[1] <= entry.version:
            return ""
        return f"revision {highest[1][0]} lies at {self._at(highest[0])}, the letter holds {entry.version[0]}"

    def _at(self, offset: int) -> str:
        return f"{self._partition.topic} {self._partition.number}:{offset}"
