"""A month three times: the ledger's sums, its records, and what a provider bills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from roggia_schemas.events import InferenceCompleted

from roggia_auditor import periods
from roggia_auditor.checking.invoice import Billed, Line, Statement
from roggia_auditor.checking.recount import Recount, Recounter
from roggia_auditor.checking.report import Looked, Report
from roggia_auditor.checking.sums import compare
from roggia_auditor.leaf import Status
from roggia_auditor.ledger.model import Corrected, Head, Row, Stream
from roggia_auditor.ledger.paging import tenant_pages
from roggia_auditor.ledger.records import record_of
from roggia_auditor.ports import Counted, EventCodec, Ledger
from roggia_auditor.pricing.entries import PriceBook
from roggia_auditor.pricing.rating import RatedAttempt, rate


@dataclass(slots=True)
class Month:
    """What a month comes to. `report` says where the ledger's sums are not its records'.

    `statement` is what providers delivered in the month as they count it, in UTC and by the time of each call, at the
    newest amounts; `unpriced` are attempts that have none.
    """

    report: Report = field(default_factory=Report)
    statement: dict[Line, Billed] = field(default_factory=dict)
    unpriced: int = 0

    def add(self, attempt: RatedAttempt) -> None:
        """Count one attempt; a call itself is a line only where it has a price."""
        self.unpriced += attempt.pico_usd is None
        prices = {} if attempt.entry is None else attempt.entry.pico_usd
        for token_class, count in attempt.counts.items():
            if token_class.value == "request" and not prices.get(token_class):
                continue
            line = Line(attempt.tariff.provider, attempt.tariff.model, token_class.value)
            held = self.statement.get(line, Billed())
            self.statement[line] = Billed(held.tokens + count, held.pico_usd + count * prices.get(token_class, 0))


class Reconciling:
    """Goes through the records of tenants, one after the other. Memory: one tenant's sums."""

    def __init__(self, ledger: Ledger, codec: EventCodec, book: PriceBook, month: str) -> None:
        self._ledger, self._codec, self._book, self._month = ledger, codec, book, month
        self.found = Month()

    async def run(self, tenants: Sequence[str] = (), looked: Looked = lambda _: None) -> Month:
        """The month of these tenants, or of all. Raises `LedgerError` for records that cannot be read."""
        recounter = Recounter(self._ledger, self._codec, self._book, self.found.report)
        for tenant in tenants or await self._ledger.counted_tenants():
            held = await self._ledger.counted(tenant)
            counted = await recounter.of(tenant, held.heads, looked)
            compare(tenant, _held(held, self._month), _found(counted, self._month), self.found.report, priced=True)
            await self._state(tenant, held.heads)
            self.found.report.tenants += 1
        return self.found

    async def _state(self, tenant: str, heads: Mapping[Stream, Head]) -> None:
        for stream, head in sorted(heads.items()):
            if not stream.of_kafka:
                continue
            async for page in tenant_pages(self._ledger, stream, tenant, head.frontier.size):
                rows = [row for row in page if self._is_in(row)]
                now = await self._ledger.corrected([row.leaf.event_id for row in rows])
                for row in rows:
                    await self._add(stream, row, now.get(row.leaf.event_id))

    def _is_in(self, row: Row) -> bool:
        counted = row.leaf.status in {Status.RATED, Status.UNPRICED}
        return counted and periods.month(periods.day(row.occurred_at, "UTC")) == self._month

    async def _add(self, stream: Stream, row: Row, now: Corrected | None) -> None:
        event = await self._codec.decode(InferenceCompleted, record_of(stream, row))
        for attempt in rate(event, row.leaf.appended_at if now is None else now.at, self._book).attempts:
            self.found.add(attempt)


def statement_of(month: Month, providers: Sequence[str] = ()) -> Statement:
    """The statement, of some providers alone where any are named: an invoice is of one."""
    return {line: billed for line, billed in month.statement.items() if not providers or line.provider in providers}


def _held(held: Counted, month: str) -> Counted:
    usage = {key: one for key, one in held.usage.items() if key.booked == month}
    months = {key: one for key, one in held.months.items() if key.period == month}
    return held._replace(usage=usage, months=months, days=frozenset())


def _found(found: Recount, month: str) -> Recount:
    usage = {key: one for key, one in found.usage.items() if key.booked == month}
    return Recount(usage, {booked: pico for booked, pico in found.pico.items() if booked == month}, found.whole)
