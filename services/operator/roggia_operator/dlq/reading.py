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
    """Letters that a selection means, each partition in offset order.

    `newest` reads only the newest so many of each partition, 0 all that there are now.
    """
    within = await spans(log, selection)
    if not newest:
        async for record in ranges(log, selection, within):
            found = letter(record)
            if selection.matches(found):
                yield found
        return
    for found in await _newest(log, within, newest):
        if selection.matches(found):
            yield found


async def ranges(log: Log, selection: Selection, within: Mapping[Partition, Span]) -> AsyncIterator[Record]:
    """Records that a selection may mean, each partition in offset order: all, or those at its places."""
    left = {partition: _parts(selection, partition, bounds) for partition, bounds in sorted(within.items())}
    while spans_now := {partition: parts.pop(0) for partition, parts in left.items() if parts}:
        async for record in log.read_all(spans_now):
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


def _parts(selection: Selection, partition: Partition, bounds: Span) -> list[Span]:
    if not selection.places:
        return [bounds] if bounds.offsets else []
    here = sorted({place.offset for place in selection.places if place[:2] == partition})
    return [Span(offset, offset + 1) for offset in here if bounds.first <= offset < bounds.end]


async def _newest(log: Log, within: Mapping[Partition, Span], count: int) -> list[Letter]:
    """Markers of transactions leave offsets without a record, so it looks further back until it has enough, or all."""
    found: dict[Partition, deque[Letter]] = {}
    looking = {partition: _last(bounds, count) for partition, bounds in sorted(within.items()) if bounds.offsets}
    while looking:
        found |= {partition: deque(maxlen=count) for partition in looking}
        async for record in log.read_all(looking):
            found[Partition(record.topic, record.partition)].append(letter(record))
        looking = {
            partition: _last(within[partition], 4 * span.offsets)
            for partition, span in looking.items()
            if len(found[partition]) < count and span.first > within[partition].first
        }
    return [one for letters_there in found.values() for one in letters_there]


def _last(bounds: Span, offsets: int) -> Span:
    return Span(max(bounds.first, bounds.end - offsets), bounds.end)
