"""Reading DLQs to their ends, one letter at a time: no value is held, so memory does not grow with the letters."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping

from roggia_runtime.ranges import Span
from roggia_runtime.records import Partition, Record

from roggia_operator.dlq.letters import Letter, Place, letter
from roggia_operator.dlq.ports import Log
from roggia_operator.dlq.selection import DLQ, Selection
from roggia_operator.errors import SelectionError

NOTHING = Selection()


async def spans(log: Log, selection: Selection = NOTHING) -> dict[Partition, Span]:
    """The partitions of the DLQs that a selection reads, with their beginnings and ends as they are now."""
    known = await log.partitions()
    wanted = [part for name, parts in known.items() if name.endswith(DLQ) and selection.reads(name) for part in parts]
    return dict(await log.bounds(wanted))


async def letters(log: Log, selection: Selection = NOTHING, *, newest: int = 0) -> AsyncIterator[Letter]:
    """Letters that a selection means, partition by partition in offset order.

    `newest` reads only the newest so many of each partition, 0 all that there are now.
    """
    within = await spans(log, selection)
    if not newest:
        async for record in ranges(log, selection, within):
            found = letter(record)
            if selection.matches(found):
                yield found
        return
    for partition, bounds in sorted(within.items()):
        for found in await _newest(log, partition, bounds, newest):
            if selection.matches(found):
                yield found


async def ranges(log: Log, selection: Selection, within: Mapping[Partition, Span]) -> AsyncIterator[Record]:
    """Records that a selection may mean, partition by partition in offset order: all, or those at its places."""
    for partition, bounds in sorted(within.items()):
        for start, end in _parts(selection, partition, bounds):
            async for record in log.read(*partition, start, end=end):
                yield record


async def record_at(log: Log, place: Place) -> Record:
    """The record at one place. Raises `SelectionError` when there is none."""
    here = Partition(place.topic, place.partition)
    if here in (await log.partitions()).get(place.topic, ()):
        bounds = (await log.bounds([here]))[here]
        if bounds.first <= place.offset < bounds.end:
            async for record in log.read(*here, place.offset, end=place.offset + 1):
                return record
    raise SelectionError(f"PLACE: {place.topic} holds no record at {place.partition}:{place.offset}")


def _parts(selection: Selection, partition: Partition, bounds: Span) -> list[tuple[int, int]]:
    if not selection.places:
        return [(bounds.first, bounds.end)] if bounds.first < bounds.end else []
    here = sorted({place.offset for place in selection.places if place[:2] == partition})
    return [(offset, offset + 1) for offset in here if bounds.first <= offset < bounds.end]


async def _newest(log: Log, partition: Partition, bounds: Span, count: int) -> list[Letter]:
    """Markers of transactions leave offsets without a record, so it looks further back until it has enough, or all."""
    span = count
    while bounds.first < bounds.end:
        start = max(bounds.first, bounds.end - span)
        found: deque[Letter] = deque(maxlen=count)
        async for record in log.read(*partition, start, end=bounds.end):
            found.append(letter(record))
        if len(found) == count or start == bounds.first:
            return list(found)
        span *= 4
    return []
