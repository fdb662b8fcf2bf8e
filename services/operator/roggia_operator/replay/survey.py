"""Look at what a selection matches: every record where they are few, windows at random where they are many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from roggia_runtime.ranges import Span
from roggia_runtime.records import Partition, Record

from roggia_operator.replay.bounds import Bounds
from roggia_operator.replay.estimate import Figure, Stratum, Window, total
from roggia_operator.replay.matching import Matcher, size, tokens
from roggia_operator.replay.outside import UNREADABLE, Beside, Newer, Part, Ranges, Version, version_of
from roggia_operator.replay.sampling import WINDOW, offsets_of, rounds, windows_of

EXACT_BELOW = 100_000
"""Offsets up to which everything is counted, unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Effort:
    """`exact_below`: offsets up to which everything is read. `sample`: offsets that are read of more than that, of the
    selection and of what lies beside it."""

    exact_below: int = EXACT_BELOW
    sample: int = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """What a selection matches. `overtaken`: documents whose newest version lies outside; None: not counted, then
    `newer` says what a sample of the outside showed.

    `keys`: documents that were seen to match. `oldest_ms`: time of the oldest match seen.
    """

    keys: frozenset[bytes]
    records: Figure
    documents: Figure
    tokens: Figure
    bytes: Figure
    overtaken: int | None
    read: int
    unreadable: int
    oldest_ms: int | None
    newer: Newer | None = None


async def survey(reader: Ranges, matcher: Matcher, where: Bounds, effort: Effort) -> Found:
    """Look. Raises `UnavailableError`, `AdminError`."""
    wanted, held, tally = offsets_of(where.wanted), offsets_of(where.held), Tally(matcher)
    if held <= effort.exact_below:
        await _all(reader, where.held, where.wanted, tally)
        return tally.counted(everything=True)
    strata = {part: Stratum(windows_of(span)) for part, span in where.wanted.items() if span.offsets}
    if wanted > effort.exact_below:
        await _sample(reader, where.wanted, effort.sample, tally, strata)
        found = _estimated(strata, tally)
        read = {part: len(stratum.read) for part, stratum in strata.items()}
    else:
        await _all(reader, where.wanted, where.wanted, tally)
        found = tally.counted(everything=False)
        read = {part: stratum.windows for part, stratum in strata.items()}
    inside = [Part(part, where.wanted[part], number) for part, number in read.items()]
    outside = await tally.beside.look(reader, matcher, where, effort.sample)
    return replace(found, newer=tally.beside.newer([*inside, *outside]))


class Tally:
    """Counts records as they are looked at, and remembers versions by document."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._inside: dict[bytes, Version] = {}
        self._outside: dict[bytes, Version] = {}
        self.beside = Beside()
        self.window = Window()
        self.read = self.unreadable = 0
        self.oldest_ms: int | None = None

    @property
    def keys(self) -> frozenset[bytes]:
        """Documents that match."""
        return frozenset(self._inside)

    async def look(self, record: Record, wanted: Span) -> None:
        """Count a record; `wanted` are the offsets of its partition that the job will read."""
        self.read += 1
        key = record.key or b""
        if not self._matcher.named(record):
            return
        inside = wanted.first <= record.offset < wanted.end and await self._matcher.matches(record)
        event = await self._matcher.event(record)
        self.unreadable += inside and event is None
        if inside:
            self._count(record, tokens(event))
        versions = self._inside if inside else self._outside
        version = self._after(key) if record.value is None else version_of(event)
        versions[key] = max(version, versions.get(key, UNREADABLE))
        if inside:
            self.beside.match(key, version, record.offset)
        else:
            self.beside.other(record, None if record.value is None else version)

    def counted(self, *, everything: bool) -> Found:
        """After all records were looked at; `everything`: also those outside the selection."""
        newer = sum(version > self._inside[key] for key, version in self._outside.items() if key in self._inside)
        return Found(
            records=Figure.counted(self.window.records),
            documents=Figure.counted(len(self._inside)),
            bytes=Figure.counted(self.window.bytes),
            tokens=Figure.counted(self.window.tokens),
            overtaken=newer if everything else None,
            read=self.read,
            keys=self.keys,
            unreadable=self.unreadable,
            oldest_ms=self.oldest_ms,
        )

    def _after(self, key: bytes) -> Version:
        """Version of a Kafka null: it ends the newest version before it."""
        revision, epoch = max(self._inside.get(key, UNREADABLE), self._outside.get(key, UNREADABLE))
        return revision, epoch + 1

    def _count(self, record: Record, more: int) -> None:
        now = self.window
        self.window = Window(now.records + 1, now.bytes + size(record), now.tokens + more)
        self.oldest_ms = min(record.timestamp_ms, self.oldest_ms or record.timestamp_ms)


async def _all(reader: Ranges, spans: Mapping[Partition, Span], wanted: Mapping[Partition, Span], tally: Tally) -> None:
    async for piece in reader.read(spans):
        for record in piece.records:
            await tally.look(record, wanted.get(piece.partition, Span(0, 0)))


async def _sample(
    reader: Ranges, wanted: Mapping[Partition, Span], offsets: int, tally: Tally, strata: Mapping[Partition, Stratum]
) -> None:
    """Read windows of every partition, chosen at random, into `strata`."""
    for round_ in rounds(wanted, offsets):
        windows_read = dict.fromkeys(round_, Window())
        async for piece in reader.read(round_):
            for record in piece.records:
                before, tally.window = tally.window, windows_read[piece.partition]
                await tally.look(record, round_[piece.partition])
                windows_read[piece.partition], tally.window = tally.window, before
        for part, window in windows_read.items():
            strata[part].read.append(window)


def _estimated(strata: Mapping[Partition, Stratum], tally: Tally) -> Found:
    read = [window for stratum in strata.values() for window in stratum.read]
    seen = max(1, sum(window.records for window in read))
    parts = list(strata.values())
    records = total(parts, lambda window: window.records, WINDOW)
    most_bytes = max(WINDOW * 1024, 2 * max(window.bytes for window in read))
    most_tokens = max(WINDOW * 256, 2 * max(window.tokens for window in read))
    distinct = len(tally.keys)
    return Found(
        records=records,
        documents=Figure.counted(distinct)
        if records.exact
        else Figure(round(records.value * distinct / seen), distinct, max(distinct, records.high)),
        bytes=total(parts, lambda window: window.bytes, most_bytes),
        tokens=total(parts, lambda window: window.tokens, most_tokens),
        overtaken=None,
        read=tally.read,
        keys=tally.keys,
        unreadable=tally.unreadable,
        oldest_ms=tally.oldest_ms,
    )
