"""Where a selection lies in its topic: which offsets of which partitions must be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition
from roggia_runtime.settings import KafkaSettings

from roggia_operator.errors import SelectionError
from roggia_operator.replay.selection import OffsetRange, Selection

DISORDER_MS = 3_600_000
"""How much younger a record may be than one that lies behind it: a time range is read that much further."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """`wanted`: the offsets to read. `held`: everything that the topic holds."""

    wanted: dict[Partition, Span]
    held: dict[Partition, Span]


async def partitions(settings: KafkaSettings, topic: str) -> list[Partition]:
    """Partitions of a topic. Raises `SelectionError` when it does not exist."""
    async with TopicAdmin(settings) as admin:
        found = {info.name: info.partitions for info in await admin.list()}
    if topic not in found:
        raise SelectionError(f"topic: {topic} does not exist; create it (roggia topics apply)")
    return [Partition(topic, number) for number in range(found[topic])]


async def bounds(settings: KafkaSettings, reader: RangeReader, selection: Selection) -> Bounds:
    """The offsets that a selection covers now. Raises `SelectionError`, `UnavailableError`, `AdminError`."""
    parts = await partitions(settings, selection.topic)
    held = await reader.spans(parts)
    named = {part.partition: part for part in selection.offsets}
    strangers = sorted(named.keys() - {part.number for part in parts})
    if strangers:
        raise SelectionError(f"offsets: {selection.topic} has no partition {strangers[0]}; it has {len(parts)}")
    firsts = {} if selection.from_ms is None else await reader.at(parts, selection.from_ms)
    ends = {} if selection.to_ms is None else await reader.at(parts, selection.to_ms + DISORDER_MS)
    wanted = {part: _cut(held[part], named.get(part.number)) for part in parts if not named or part.number in named}
    for part, span in wanted.items():
        first = firsts.get(part, span.first)
        end = ends.get(part)
        # No record of that time or later: from None means nothing is wanted, to None means to the end.
        begin = span.end if first is None else max(span.first, first)
        wanted[part] = Span(min(begin, span.end), span.end if end is None else min(span.end, end))
    return Bounds({part: Span(s.first, max(s.first, s.end)) for part, s in wanted.items()}, held)


def _cut(held: Span, named: OffsetRange | None) -> Span:
    if named is None:
        return held
    return Span(max(held.first, named.first), min(held.end, named.end))
