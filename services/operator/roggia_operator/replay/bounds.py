"""Where a selection lies in its topic: which offsets of which partitions must be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition
from roggia_runtime.settings import KafkaSettings

from roggia_operator.errors import SelectionError
from roggia_operator.replay.selection import Selection

DISORDER_MS = 3_600_000
"""How much younger a record may be than one that lies behind it: a time range is read that much further."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """`wanted`: the offsets to read. `held`: everything that the topic holds."""

    wanted: Mapping[Partition, Span]
    held: Mapping[Partition, Span]


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
    return Bounds(wanted(selection, held, firsts, ends), held)


def wanted(
    selection: Selection,
    held: Mapping[Partition, Span],
    firsts: Mapping[Partition, int | None],
    ends: Mapping[Partition, int | None],
) -> dict[Partition, Span]:
    """The offsets to read. `firsts` and `ends`: first offset of the times that the selection names, None where all is
    older; empty where it names none.
    """
    named = {part.partition: part for part in selection.offsets}
    found = {}
    for part, span in held.items():
        if named and part.number not in named:
            continue
        first, end = span.first, span.end
        if part.number in named:
            first, end = max(first, named[part.number].first), min(end, named[part.number].end)
        if part in firsts:
            at = firsts[part]
            first = end if at is None else max(first, at)
        at = ends.get(part)
        end = end if at is None else min(end, at)
        found[part] = Span(min(first, end), end)
    return found
