"""Cutting the letters of a redrive into windows, and fetching a window's records from wherever they lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from roggia_runtime.records import Record

from roggia_operator.dlq.entries import Entry
from roggia_operator.dlq.letters import Place
from roggia_operator.dlq.ports import Log

MAX_LETTERS = 200
MAX_BYTES = 32 << 20
NEAR = 200
"""Offsets between two letters up to which they are read in one go."""


class Windows:
    """Small at first, then twice the size each: a cause that is not mended shows before much was sent."""

    def __init__(self, first: int) -> None:
        self._letters = min(first, MAX_LETTERS)

    def cut(self, entries: Sequence[Entry]) -> Iterator[list[Entry]]:
        """Windows of entries in their order, each of at least one, at most `MAX_LETTERS` and about `MAX_BYTES`."""
        window: list[Entry] = []
        size = 0
        for entry in entries:
            if window and (len(window) >= self._letters or size + entry.size > MAX_BYTES):
                yield window
                window, size, self._letters = [], 0, min(MAX_LETTERS, self._letters * 2)
            window.append(entry)
            size += entry.size
        if window:
            yield window


async def records_of(log: Log, window: Sequence[Entry]) -> dict[Place, Record]:
    """The records of a window by place; without those that retention has removed meanwhile."""
    wanted = {entry.letter.place for entry in window}
    found: dict[Place, Record] = {}
    for first, last in runs(sorted(wanted)):
        async for record in log.read(first.topic, first.partition, first.offset, end=last.offset + 1):
            place = Place(first.topic, first.partition, record.offset)
            if place in wanted:
                found[place] = record
    return found


def runs(places: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    """First and last of each run of near places. `places` are sorted."""
    run: list[Place] = []
    for place in places:
        if run and (place[:2] != run[-1][:2] or place.offset - run[-1].offset > NEAR):
            yield run[0], run[-1]
            run = []
        run.append(place)
    if run:
        yield run[0], run[-1]
