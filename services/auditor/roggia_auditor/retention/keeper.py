"""Seals months away and drops segments, as a plan says. Every step may be the last: the next run goes on from there.

The order is what makes it safe. Sealing: files written and flushed, read back and checked, then the segment and its act
in one transaction, then the records leave the tables, some tiles at a time. Dropping: the acts and the mark in one
transaction, then the files. Records that are both in a table and in a segment are read once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from roggia_runtime.clock import now_ms

from roggia_auditor.errors import HeldError, LedgerConflictError, SegmentError
from roggia_auditor.ledger.model import Row
from roggia_auditor.retention.acts import Act, Kind
from roggia_auditor.retention.checking import check, covering
from roggia_auditor.retention.history import History, history, next_acts
from roggia_auditor.retention.planning import Droppable, Sealable, held
from roggia_auditor.retention.ports import KeptLedger, SegmentFiles
from roggia_auditor.retention.segment import Segment, Share, Span
from roggia_auditor.tlog import checkpoint, note

_PAGE = 2_000
_TILES = 32
"""Tiles whose records leave the tables in one transaction: 8,192 records, some tenths of a second."""


class Keeper:
    """Carries plans out. `origin` is what logs' names begin with, `by` who acts."""

    def __init__(
        self, ledger: KeptLedger, files: SegmentFiles, origin: str, by: str, now: Callable[[], int] = now_ms
    ) -> None:
        self._ledger, self._files, self._origin, self._by, self._now = ledger, files, origin, by, now

    async def seal(self, found: Sealable, judged: History, reason: str) -> Segment:
        """Seal one month away; the segment.

        Raises `HeldError` for one that must wait, `SegmentError` or `ProofError` where what was written is not what
        was read, `LedgerConflictError` where something was decided meanwhile. Then all records are where they were.
        """
        if found.waits:
            raise HeldError(f"{found.span.name}: {found.waits}")
        with self._files.claim():
            await self._still_here(found.span)
            segment = await self._sealed(found, judged, reason)
            await self._empty(segment.span)
        return segment

    async def _still_here(self, span: Span) -> None:
        """Whoever made a plan before another has carried it out must not write over that one's files."""
        for moved, _ in await self._ledger.moved(span.stream):
            if moved.first < span.end and span.first < moved.end:
                raise LedgerConflictError(f"{span.name}: it was sealed meanwhile, as {moved.name}")

    async def _sealed(self, found: Sealable, judged: History, reason: str) -> Segment:
        tiles = await covering(self._ledger, found.span, checkpoint.of(note.parse(found.checkpoint)).size)
        segment = await self._files.write(
            Segment(found.span, found.newest, found.shares, found.checkpoint),
            self._pages(found.span),
            {tile.path(): b"".join(held) for tile, held in tiles.items()},
        )
        await check(self._ledger, self._files, segment)
        about = {**self._place(segment.span), "manifest_sha256": segment.sha256()}
        act = Act(Kind.SEGMENT_SEALED, self._now(), self._by, reason, about=about)
        await self._ledger.seal(segment, await next_acts(self._ledger, judged, [act]))
        return segment

    async def drop(self, found: Droppable, judged: History, reason: str) -> None:
        """Drop the entries and values of a segment, for ever. Leaf hashes, tiles and sums stay.

        Raises `HeldError` for one that must wait, `LedgerConflictError` where something was decided meanwhile,
        `SegmentError` for one whose files are not here: then nothing was dropped.
        """
        segment = found.segment
        if waits := found.waits or held(judged.active, segment.shares):
            raise HeldError(f"{segment.span.name}: {waits}")
        if not await self._files.present(segment.span):
            raise SegmentError(
                f"{segment.span.name} is not in this folder, so its files would stay; nothing was dropped"
            )
        await self._empty(segment.span)
        acts = [self._dropping(segment, share, reason) for share in segment.shares]
        await self._ledger.drop(segment.span, await next_acts(self._ledger, judged, acts))
        await self._files.remove(segment.span)

    async def tidy(self) -> int:
        """Go on where a crash came between: records that should have left the tables, files that should be gone.

        Returns how many segments that were.
        """
        count = 0
        for segment in await self._ledger.segments():
            count += int(await self._files.remove(segment.span) if segment.dropped else await self._empty(segment.span))
        return count

    async def _empty(self, span: Span) -> bool:
        """Take a segment's records out of the tables; whether there were any."""
        some = False
        while await self._ledger.move(span, _TILES):
            some = True
        return some

    async def _pages(self, span: Span) -> AsyncIterator[Sequence[Row]]:
        at = span.first
        while at < span.end:
            rows = await self._ledger.rows(span.stream, at, min(_PAGE, span.end - at))
            if not rows or rows[0].index != at:
                raise SegmentError(f"{span.name}: leaf {at} is not in the ledger")
            yield rows
            at += len(rows)

    def _dropping(self, segment: Segment, share: Share, reason: str) -> Act:
        about = {
            **self._place(segment.span),
            "month": segment.span.month,
            "first": str(share.first),
            "last": str(share.last),
            "records": str(share.records),
            "pico_usd": str(share.pico_usd),
            "leaves_sha256": share.leaves,
        }
        return Act(Kind.RECORDS_DROPPED, self._now(), self._by, reason, share.tenant, about)

    def _place(self, span: Span) -> dict[str, str]:
        log = span.stream.origin(self._origin)
        return {"log": log, "first_leaf": str(span.first), "end_leaf": str(span.end)}


async def again(ledger: KeptLedger, judged: History) -> History:
    """The history with one's own acts; raises `LedgerConflictError` where a hold was placed or lifted since."""
    found = await history(ledger, judged)
    if found.holds != judged.holds:
        raise LedgerConflictError("a hold was placed or lifted meanwhile; look at the plan again")
    return found
