"""What may be sealed away and dropped now, and what must wait and why. Reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roggia_auditor import periods
from roggia_auditor.ledger.model import ACTS, UNTOLD, Row, Stream
from roggia_auditor.ports import State
from roggia_auditor.retention.history import History, history
from roggia_auditor.retention.holds import Hold
from roggia_auditor.retention.ports import KeptLedger
from roggia_auditor.retention.segment import Segment, Share, Shares, Span, month_ends, month_of

DAY_MS = 24 * periods.HOUR_MS
_WEST_MS = 12 * periods.HOUR_MS
"""The last zone's month is over twelve hours after UTC's."""
_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Sealable:
    """A closed month of a stream. `waits` says why it is not sealed now; empty: it may be."""

    span: Span
    shares: tuple[Share, ...]
    newest: int
    checkpoint: str
    waits: str = ""


@dataclass(frozen=True, slots=True)
class Droppable:
    """A sealed segment that is old enough. `waits` says which hold is in the way; empty: it may be dropped."""

    segment: Segment
    waits: str = ""


@dataclass(frozen=True, slots=True)
class SealPlan:
    """What would be sealed, judged from the acts that there were."""

    judged: History
    spans: Sequence[Sealable]


@dataclass(frozen=True, slots=True)
class DropPlan:
    """What would be dropped, judged from the acts that there were."""

    judged: History
    segments: Sequence[Droppable]


async def sealable(ledger: KeptLedger, origin: str, before: int, grace_ms: int = periods.GRACE_MS) -> SealPlan:
    """Every month of every stream that was closed before a time (milliseconds since 1970), oldest first."""
    judged, state, found = await history(ledger), await ledger.everything(), list[Sealable]()
    for stream in sorted(state.heads):
        if stream != ACTS:
            for span in await _closed(ledger, state, stream, before - grace_ms - _WEST_MS):
                found.append(await _sealable(ledger, span, state, judged, origin))
    return SealPlan(judged, found)


async def droppable(ledger: KeptLedger, before: int, names: Sequence[str] = ()) -> DropPlan:
    """Sealed segments whose newest record reached the log before a time; of those named, where names are given."""
    judged = await history(ledger)
    found = [one for one in await ledger.segments() if not one.dropped and one.newest < before]
    wanted = [one for one in found if not names or one.span.name in names]
    return DropPlan(judged, [Droppable(one, held(judged.active, one.shares)) for one in wanted])


def held(active: Sequence[Hold], shares: Sequence[Share]) -> str:
    """Which hold touches any of the shares; empty: none."""
    for hold in active:
        for share in shares:
            if hold.touches(share.tenant, share.oldest, share.newest):
                whose = f"tenant {hold.tenant}" if hold.tenant else "every tenant"
                return f"{hold.name} holds {whose}: {hold.reason}"
    return ""


async def _closed(ledger: KeptLedger, state: State, stream: Stream, before: int) -> list[Span]:
    """Months of a stream that were over before a time, and are not in segments yet."""
    found: list[Span] = []
    for start, end in await _gaps(ledger, stream, state.heads[stream].frontier.size):
        at = start
        while at < end and (month := month_of((await _row(ledger, stream, at)).leaf.appended_at)):
            if month_ends(month) >= before:
                break
            until = await _until(ledger, stream, at, end, month_ends(month))
            found.append(Span(stream, month, at, until))
            at = until
    return found


async def _gaps(ledger: KeptLedger, stream: Stream, size: int) -> list[tuple[int, int]]:
    """What of a stream is not in segments."""
    found, at = [], 0
    for span, _ in await ledger.moved(stream):
        found.append((at, span.first))
        at = span.end
    return [(start, end) for start, end in [*found, (at, size)] if start < end]


async def _until(ledger: KeptLedger, stream: Stream, low: int, end: int, time: int) -> int:
    """The first leaf after `low` that the log took at a time or later; `end` where there is none."""
    at, high = low + 1, end
    while at < high:
        middle = (at + high) // 2
        if (await _row(ledger, stream, middle)).leaf.appended_at < time:
            at = middle + 1
        else:
            high = middle
    return at


async def _row(ledger: KeptLedger, stream: Stream, index: int) -> Row:
    return (await ledger.rows(stream, index, 1))[0]


async def _sealable(ledger: KeptLedger, span: Span, state: State, judged: History, origin: str) -> Sealable:
    shares, at = Shares(), span.first
    while at < span.end:
        rows = await ledger.rows(span.stream, at, min(_PAGE, span.end - at))
        shares.add(rows)
        at = rows[-1].index + 1
    size, signed = state.notes.get(span.stream.origin(origin), (0, ""))
    waits = held(judged.active, shares.done())
    if size < span.end:
        waits = "no signed checkpoint covers it yet (ROGGIA_AUDITOR_SIGNING_KEY)"
    elif span.stream not in UNTOLD and await ledger.told_rows(span.stream) < span.end:
        waits = "its records were not told on audit.recorded yet: the auditor service does it"
    return Sealable(span, shares.done(), shares.newest, signed, waits)
