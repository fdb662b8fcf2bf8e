"""The first unread records of many partitions, remembered between observations."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from roggia_runtime import replay
from roggia_runtime.consumer.scanning import Seen
from roggia_runtime.offsets import Offsets
from roggia_runtime.ranges import Span
from roggia_runtime.records import Partition, Record
from roggia_schemas import topics

from roggia_operator.lag.values import PartitionLag

TIMEOUT_S = 10.0
"""For all reading of one observation."""
SEARCHED = 20_000
"""Records per partition and observation in which a live record is looked for behind replayed ones."""
TRUSTED_S = 30.0
"""How long a first record that was read counts as still there: compaction may remove it."""


@dataclass(frozen=True, slots=True)
class Place:
    """One group in one partition, before its first unread record is known."""

    group: str
    where: Partition
    committed: int | None
    bounds: Span

    @property
    def begin(self) -> int:
        """Oldest offset that is there and unread."""
        return max(self.bounds.first, self.committed or 0)

    @property
    def lane(self) -> bool:
        """Whether nothing in the topic is live."""
        return topics.base(self.where.topic) != self.where.topic


@dataclass(slots=True)
class Head:
    """What is known about the first unread record of a place. Offsets -1 are not known."""

    begin: int = 0
    """The place's begin when this was learnt: what is known holds as long as the group moves on."""
    offset: int = -1
    timestamp_ms: int = 0
    read_at: float = 0.0
    empty_to: int = -1
    """No record lies between the place's begin and this offset."""
    live_offset: int = -1
    live_ms: int = 0
    searched_to: int = -1
    """No live record lies before this offset."""
    searched_ms: int = 0
    """Timestamp of the last record looked at."""

    def lag(self, place: Place, at_ms: int, owner: str) -> PartitionLag:
        """The place's lag as of `at_ms`."""
        begin, end = place.begin, place.bounds.end
        return PartitionLag(
            group=place.group,
            where=place.where,
            committed=place.committed,
            first=place.bounds.first,
            end=end,
            lag=0 if self.caught_up(place) else max(0, end - max(begin, self.offset)),
            lag_s=self._age(place, self.timestamp_ms if self.offset >= begin else None, at_ms),
            live_s=self._live_s(place, at_ms),
            live_exact=self.live_offset >= begin or self.live_done(place),
            lost=max(0, place.bounds.first - (place.committed or 0)) if place.committed is not None else 0,
            owner=owner,
        )

    def caught_up(self, place: Place) -> bool:
        """Whether no record is unread."""
        return max(place.begin, self.empty_to) >= place.bounds.end

    def live_done(self, place: Place) -> bool:
        """Whether it is certain that no live record is unread."""
        return place.lane or self.caught_up(place) or self.searched_to >= place.bounds.end

    def _live_s(self, place: Place, at_ms: int) -> float | None:
        if self.live_offset >= place.begin:
            return self._age(place, self.live_ms, at_ms)
        if self.live_done(place):
            return 0.0
        return self._age(place, self.searched_ms if self.searched_to > place.begin else None, at_ms)

    def _age(self, place: Place, timestamp_ms: int | None, at_ms: int) -> float | None:
        if self.caught_up(place):
            return 0.0
        return None if timestamp_ms is None else max(0.0, (at_ms - timestamp_ms) / 1000)


class Heads:
    """Reads what is not known any more, in as few requests as there are brokers."""

    def __init__(self, offsets: Offsets) -> None:
        self._offsets = offsets
        self._known: dict[tuple[str, Partition], Head] = {}

    async def ages(self, places: Sequence[Place]) -> list[Head]:
        """What is known of each place now, after reading."""
        self._known = {(p.group, p.where): self._still(p) for p in places}
        await self._read_first([p for p in places if self._needs_first(p)])
        await self._search_live([p for p in places if self._needs_live(p)])
        return [self._of(place) for place in places]

    def _of(self, place: Place) -> Head:
        return self._known[place.group, place.where]

    def _still(self, place: Place) -> Head:
        known = self._known.get((place.group, place.where))
        if known is None or place.begin < known.begin or max(known.searched_to, known.offset) > place.bounds.end:
            return Head(place.begin)
        known.begin = place.begin
        return known

    def _needs_first(self, place: Place) -> bool:
        head = self._of(place)
        old = time.monotonic() - head.read_at > TRUSTED_S
        return not head.caught_up(place) and (head.offset < place.begin or old)

    def _needs_live(self, place: Place) -> bool:
        head = self._of(place)
        return head.offset >= 0 and head.live_offset < place.begin and not head.live_done(place)

    async def _read_first(self, places: Iterable[Place]) -> None:
        for some in _apart(places):
            ranges = {p.where: Span(max(p.begin, self._of(p).empty_to), p.bounds.end) for p in some}
            seen = await self._offsets.scan(ranges, lambda _: True, limit=1, timeout_s=TIMEOUT_S)
            for place in some:
                self._note_first(self._of(place), place, seen[place.where])

    def _note_first(self, head: Head, place: Place, seen: Seen) -> None:
        if seen.head is None:
            head.empty_to, head.offset = seen.scanned_to, -1
            return
        head.offset, head.timestamp_ms, head.read_at = seen.head.offset, seen.head.timestamp_ms, time.monotonic()
        if not place.lane and _live(seen.head):
            head.live_offset, head.live_ms = head.offset, head.timestamp_ms

    async def _search_live(self, places: Iterable[Place]) -> None:
        for some in _apart(places):
            ranges = {p.where: Span(max(self._of(p).offset, self._of(p).searched_to), p.bounds.end) for p in some}
            seen = await self._offsets.scan(ranges, _live, limit=SEARCHED, timeout_s=TIMEOUT_S)
            for place in some:
                self._note_live(self._of(place), seen[place.where])

    @staticmethod
    def _note_live(head: Head, seen: Seen) -> None:
        head.searched_to = seen.scanned_to
        if seen.last is not None:
            head.searched_ms = seen.last.timestamp_ms
        if seen.hit is not None:
            head.live_offset, head.live_ms = seen.hit.offset, seen.hit.timestamp_ms


def _live(record: Record) -> bool:
    return not replay.replayed(record.headers)


def _apart(places: Iterable[Place]) -> Iterator[list[Place]]:
    """The places in rounds that hold each partition once: a reader is at one offset of a partition at a time."""
    rounds: list[dict[Partition, Place]] = []
    for place in places:
        free = next((one for one in rounds if place.where not in one), None)
        if free is None:
            rounds.append(free := {})
        free[place.where] = place
    return (list(one.values()) for one in rounds)
