"""What lies beside a selection and is newer than what it matches, where not everything is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from roggia_runtime.ranges import Piece, Span
from roggia_runtime.records import Partition, Record

from roggia_operator.replay.bounds import Bounds
from roggia_operator.replay.estimate import Figure, Stratum, Window, total
from roggia_operator.replay.matching import Matcher
from roggia_operator.replay.sampling import WINDOW, offsets_of, rounds, windows_of

Version: TypeAlias = tuple[int, int]
UNREADABLE: Version = (-1, 0)


class Ranges(Protocol):
    """What reads ranges: a `RangeReader`."""

    def read(self, spans: Mapping[Partition, Span]) -> AsyncIterator[Piece]:
        """Committed records of every span, each partition in order."""
        ...


@dataclass(frozen=True, slots=True)
class Newer:
    """Of `documents` that were seen to match, `found` have something newer beside the selection."""

    documents: int
    found: Figure


@dataclass(frozen=True, slots=True)
class Part:
    """A range of which `read` of its windows were read."""

    partition: Partition
    span: Span
    read: int


@dataclass(frozen=True, slots=True)
class _Other:
    partition: Partition
    offset: int
    key: bytes
    version: Version | None


class Beside:
    """The newest version of each document that was seen to match, and what does not match but is of such a document."""

    def __init__(self) -> None:
        self._matched: dict[bytes, tuple[Version, int]] = {}
        self._others: list[_Other] = []

    def match(self, key: bytes, version: Version, offset: int) -> None:
        """A record that matches."""
        self._matched[key] = max((version, offset), self._matched.get(key, (UNREADABLE, -1)))

    def other(self, record: Record, version: Version | None) -> None:
        """A record that does not; `version` None is a Kafka null, which ends what lies before it."""
        here = Partition(record.topic, record.partition)
        self._others.append(_Other(here, record.offset, record.key or b"", version))

    async def look(self, reader: Ranges, matcher: Matcher, where: Bounds, offsets: int) -> list[Part]:
        """Read about `offsets` offsets, chosen at random, before and behind what was selected; which those were.

        A document keeps to its partition: those of which nothing was selected hold nothing of interest.
        """
        wanted = {part: span for part, span in where.wanted.items() if span.offsets}
        before = {part: Span(where.held[part].first, span.first) for part, span in wanted.items()}
        behind = {part: Span(span.end, where.held[part].end) for part, span in wanted.items()}
        every = max(1, offsets_of(before) + offsets_of(behind))
        return [
            part
            for side in (before, behind)
            for part in await self._side(reader, matcher, side, offsets * offsets_of(side) // every)
        ]

    async def _side(self, reader: Ranges, matcher: Matcher, side: Mapping[Partition, Span], offsets: int) -> list[Part]:
        read = Counter[Partition]()
        for windows in rounds(side, offsets):
            read.update(windows.keys())
            async for piece in reader.read(windows):
                for record in piece.records:
                    if (record.key or b"") in self._matched:
                        self.other(record, None if record.value is None else version_of(await matcher.event(record)))
        return [Part(part, span, read[part]) for part, span in side.items() if span.offsets]

    def newer(self, parts: Sequence[Part]) -> Newer:
        """How many documents have something newer beside the selection, after `parts` were read.

        At least those that were seen; at most as many as there are newer records, by the sample.
        """
        newer = [other for other in self._others if self._overtakes(other)]
        documents, seen = len(self._matched), len({other.key for other in newer})
        records = total([_stratum(part, newer) for part in parts], lambda window: window.records, WINDOW)
        if records.exact:
            return Newer(documents, Figure.counted(seen))
        high = max(seen, min(documents, records.high))
        return Newer(documents, Figure(min(high, max(seen, records.value)), seen, high))

    def _overtakes(self, other: _Other) -> bool:
        if other.key not in self._matched:
            return False
        version, offset = self._matched[other.key]
        return other.offset > offset if other.version is None else other.version > version


def version_of(event: object) -> Version:
    """(revision, epoch) of an event; below all others for one that cannot be read."""
    return getattr(event, "revision", UNREADABLE[0]), getattr(event, "epoch", 0)


def _stratum(part: Part, newer: Sequence[_Other]) -> Stratum:
    span = part.span
    here = [one.offset for one in newer if one.partition == part.partition and span.first <= one.offset < span.end]
    held = Counter((offset - span.first) // WINDOW for offset in here)
    windows = [Window(records) for records in held.values()]
    return Stratum(windows_of(span), windows + [Window()] * (part.read - len(windows)))
