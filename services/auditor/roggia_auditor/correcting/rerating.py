"""Rates chosen records again: a plan that changes nothing, then corrections, batch by batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple

from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import InferenceCompleted

from roggia_auditor.correcting.choosing import Choice
from roggia_auditor.correcting.correction import Correction, Ground, Left, Outcome, correct
from roggia_auditor.correcting.drafting import Made, draft
from roggia_auditor.correcting.planning import Plan
from roggia_auditor.errors import LedgerConflictError
from roggia_auditor.ledger.model import CORRECTIONS, Head, Row, Stream
from roggia_auditor.ledger.paging import tenant_pages
from roggia_auditor.ledger.records import record_of
from roggia_auditor.ports import EventCodec, Ledger
from roggia_auditor.pricing.entries import MARGIN_MS, PriceBook

PAGE = 500
"""Records that are looked at, and at most corrected, in one transaction."""
_TRIES = 5
Looked = Callable[[int], None]
"""Called with how many more records have been looked at."""


class _Page(NamedTuple):
    stream: Stream
    rows: Sequence[Row]
    looked: int


async def newest(ledger: Ledger, book: PriceBook) -> int:
    """The instant that corrections are dated by: that of the newest record, or when the newest price began to hold."""
    found = [entry.known_from + MARGIN_MS for entry in book]
    for stream, head in (await ledger.streams()).items():
        if stream.of_kafka and head.frontier.size:
            found += [row.leaf.appended_at for row in await ledger.rows(stream, head.frontier.size - 1, 1)]
    return max(found, default=0)


class Rerater:
    """One run: the records that the ledger held when it began, on one ground. Nothing is kept of what was planned."""

    def __init__(self, ledger: Ledger, codec: EventCodec, ground: Ground, choice: Choice) -> None:
        self._ledger, self._codec, self._ground, self._choice = ledger, codec, ground, choice
        self._began: Mapping[Stream, int] | None = None

    async def plan(self, looked: Looked = lambda _: None) -> Plan:
        """What would be corrected. Changes nothing."""
        plan = Plan()
        async for page in self._pages():
            for row, outcome in await self._outcomes(page):
                plan.take(page.stream, row, outcome)
            plan.looked += page.looked
            looked(page.looked)
        return plan

    async def act(self, by: str, why: str, looked: Looked = lambda _: None) -> Plan:
        """Enter the corrections; what was done. `by` is who decided, `why` their reason; neither may be a customer.

        Each page is one transaction. Whatever happened to it before, run again it enters what is missing, no more.
        Raises `LedgerConflictError` where others correct without end.
        """
        done = Plan()
        async for page in self._pages():
            await self._enter(page, done, (by, why))
            done.looked += page.looked
            looked(page.looked)
        return done

    async def size(self) -> int:
        """How many records the ledger held when the run began."""
        return sum((await self._sizes()).values())

    async def _sizes(self) -> Mapping[Stream, int]:
        if self._began is None:
            held = (await self._ledger.streams()).items()
            self._began = {stream: head.frontier.size for stream, head in held if stream.of_kafka}
        return self._began

    async def _enter(self, page: _Page, done: Plan, who: tuple[str, str]) -> None:
        for _ in range(_TRIES):
            head = (await self._ledger.heads([CORRECTIONS])).get(CORRECTIONS, Head())
            outcomes = await self._outcomes(page)
            try:
                await self._append([one for _, one in outcomes if isinstance(one, Correction)], head, who)
            except LedgerConflictError:
                continue  # another run has corrected meanwhile: its corrections are what is built on now
            for row, outcome in outcomes:
                done.take(page.stream, row, outcome)
            return
        raise LedgerConflictError(f"{page.stream}: others correct at the same time; run it again when they are done")

    async def _append(self, corrections: Sequence[Correction], head: Head, who: tuple[str, str]) -> None:
        """They hold under `head`, which was read before what they build on."""
        if not corrections:
            return
        tenants = {one.row.leaf.tenant for one in corrections}
        snapshot = await self._ledger.before({CORRECTIONS: tenants}, [one.event_id for one in corrections])
        before = snapshot.streams[CORRECTIONS]
        if snapshot.known or before.head != head:
            raise LedgerConflictError("others have corrected meanwhile")
        batch = [Made(one, self._value(one, *who)) for one in corrections]
        await self._ledger.append([draft(batch, before, self._ground)])

    def _value(self, one: Correction, by: str, why: str) -> bytes:
        return self._codec.output(topics.USAGE_ADJUSTED, one.event(self._ground.at, by, why)).value or b""

    async def _outcomes(self, page: _Page) -> list[tuple[Row, Outcome]]:
        now = await self._ledger.corrected([row.leaf.event_id for row in page.rows])
        found: list[tuple[Row, Outcome]] = []
        for row in page.rows:
            try:
                event = await self._codec.decode(InferenceCompleted, record_of(page.stream, row))
            except SchemasError:
                found.append((row, Left.UNREADABLE))
                continue
            held = now.get(row.leaf.event_id)
            if self._choice.wants(row, event, held):
                found.append((row, correct(row, event, held, self._ground)))
        return found

    async def _pages(self) -> AsyncIterator[_Page]:
        for stream, size in sorted((await self._sizes()).items()):
            async for rows in self._rows(stream, size):
                yield _Page(stream, [row for row in rows if self._choice.may_want(row)], len(rows))

    async def _rows(self, stream: Stream, size: int) -> AsyncIterator[Sequence[Row]]:
        """Rows of the stream as it was when the run began: of one tenant by its numbers, else by leaf."""
        if self._choice.tenant:
            async for page in tenant_pages(self._ledger, stream, self._choice.tenant, size, PAGE):
                yield page
            return
        at = 0
        while at < size and (rows := await self._ledger.rows(stream, at, min(PAGE, size - at))):
            yield rows
            at = rows[-1].index + 1
