"""Reads records that have moved into segments together with those that are still in a ledger's tables.

The tables are read first, then which spans have moved, then those: a record that moves in between is seen twice, never
not at all, and counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roggia_auditor.errors import SegmentError
from roggia_auditor.leaf import Leaf
from roggia_auditor.ledger.model import Row, Stream
from roggia_auditor.ports import Stored
from roggia_auditor.retention.ports import SegmentReader, Wanted
from roggia_auditor.retention.segment import Moved, Span

Found = tuple[Stream, Leaf, int]


class Archived:
    """What a ledger reads its segments through. `files` is None where no folder of segments is set."""

    def __init__(self, files: SegmentReader | None = None) -> None:
        self._files = files

    async def rows(self, held: Sequence[Row], moved: Iterable[Moved], start: int, limit: int) -> Sequence[Row]:
        """Records from leaf `start` on: `held` are the first of them in the tables."""
        found = {row.index: row for row in held}
        for span in _kept(moved):
            if span.end > start and len(_before(found, span.end)) < limit:
                rows = await self._reader(span).rows(span, max(start, span.first), limit)
                found |= {row.index: row for row in rows}
        return [found[index] for index in sorted(found)[:limit]]

    async def tenant_rows(
        self, held: Sequence[Row], moved: Iterable[Moved], tenant: str, start: int, limit: int
    ) -> Sequence[Row]:
        """Records of a tenant from its number `start` on: `held` are the first of them in the tables."""
        found = {row.index: row for row in held}
        for span in _kept(moved):
            if len(_before(found, span.end)) < limit:
                rows = await self._reader(span).tenant_rows(span, tenant, start, limit)
                found |= {row.index: row for row in rows}
        return [found[index] for index in sorted(found)[:limit]]

    async def stored(self, held: Sequence[Stored], moved: Iterable[Moved], start: int, limit: int) -> Sequence[Stored]:
        """Records from leaf `start` on as they lie: `held` are the first of them in the tables."""
        if not (moved := list(moved)):
            return held
        found = {one.leaf_index: one for one in held}
        for span in _kept(moved):
            if span.end > start and len(_before(found, span.end)) < limit:
                rows = await self._reader(span).rows(span, max(start, span.first), limit)
                found |= {row.index: _stored(row) for row in rows if row.index not in found}
        return [found[index] for index in sorted(found)[:limit]]

    async def find(self, held: Sequence[Found], moved: Iterable[Moved], wanted: Wanted, limit: int) -> Sequence[Found]:
        """Records by an id: `held` are those in the tables. With segments: by the time that the log took them."""
        found, spans = {(stream, index): leaf for stream, leaf, index in held}, list(_kept(moved))
        if not spans:
            return held
        for span in spans:
            rows = await self._reader(span).find(span, wanted, limit)
            found |= {(span.stream, row.index): row.leaf for row in rows}
        ordered = sorted(found, key=lambda place: (found[place].appended_at, *place))
        return [(stream, found[stream, index], index) for stream, index in ordered[:limit]]

    def _reader(self, span: Span) -> SegmentReader:
        if self._files is None:
            raise SegmentError(f"{span.name} is a segment: name the folder that holds it (ROGGIA_AUDITOR_SEGMENTS)")
        return self._files


def _stored(row: Row) -> Stored:
    """A segment's files hold their own hashes: what they say of a record is what its entry says."""
    leaf = row.leaf
    return Stored(
        row.index, leaf.event_id, leaf.tenant, leaf.tenant_seq, int(leaf.status), leaf.booked, row.day,
        row.occurred_at, leaf.cost_pico, row.entry, row.leaf_hash, row.value,
    )  # fmt: skip


def _kept(moved: Iterable[Moved]) -> Iterable[Span]:
    return (span for span, dropped in moved if not dropped)


def _before(found: Iterable[int], end: int) -> list[int]:
    """Those that come before a segment's end: once they are enough, nothing of it is wanted."""
    return [index for index in found if index < end]
