"""A tenant's sums made again from its records, by the arithmetic that entered them, over what the tree holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from roggia_schemas.errors import SchemasError
from roggia_schemas.events import InferenceCompleted, UsageAdjusted

from roggia_auditor.checking.report import Looked, Report
from roggia_auditor.errors import LedgerError, OverflowingError, ProofError, UsageError
from roggia_auditor.leaf import Status
from roggia_auditor.ledger.judging import cells, key_of
from roggia_auditor.ledger.model import CORRECTIONS, MAX_INT, OWN, Head, Month, MonthKey, Row, Stream, Usage, UsageKey
from roggia_auditor.ledger.paging import tenant_pages
from roggia_auditor.ledger.records import record_of
from roggia_auditor.periods import Booking
from roggia_auditor.ports import EventCodec, Ledger
from roggia_auditor.pricing.entries import PriceBook
from roggia_auditor.pricing.rating import Rated, rate
from roggia_auditor.retention.history import dropped_of

_NONE = PriceBook()


@dataclass(slots=True)
class Recount:
    """What a tenant's records come to. `pico` is by booked month, from the leaves alone; `whole` is whether every
    value could be read."""

    usage: dict[UsageKey, Usage] = field(default_factory=dict)
    pico: dict[str, int] = field(default_factory=dict)
    whole: bool = True

    def months(self) -> Mapping[MonthKey, Month]:
        """The tenant's own use by month."""
        found: dict[MonthKey, Month] = {}
        for key, one in self.usage.items():
            if key.origin in OWN:
                month = found.setdefault(MonthKey(key.tenant, key.booked), Month())
                month.add(Month(one.tokens(), one.pico_usd, one.unpriced))
        return found

    def add(self, key: UsageKey, usage: Usage) -> None:
        """Add to a cell."""
        self.usage.setdefault(key, Usage()).add(usage)


class Recounter:
    """Recounts one tenant after the other. Without a price book, amounts by model are not made: they stay 0."""

    def __init__(self, ledger: Ledger, codec: EventCodec, book: PriceBook | None, report: Report) -> None:
        self._ledger, self._codec, self._book, self._report = ledger, codec, book, report

    async def of(self, tenant: str, heads: Mapping[Stream, Head], looked: Looked) -> Recount:
        """The tenant's records as far as `heads` go."""
        found = Recount()
        if await dropped_of(self._ledger, tenant, MAX_INT):
            found.whole = False
            self._report.note(f"records of {tenant} were dropped: its sums were not compared")
        for stream, head in sorted(heads.items()):
            try:
                async for page in tenant_pages(self._ledger, stream, tenant, head.frontier.size):
                    for row in page:
                        await self._take(stream, row, found)
                    looked(len(page))
            except (LedgerError, ProofError) as error:
                found.whole = False
                self._report.add(f"{stream.topic}/{stream.topic_id}/{stream.partition} tenant {tenant}", str(error))
        return found

    async def _take(self, stream: Stream, row: Row, found: Recount) -> None:
        leaf = row.leaf
        if leaf.status not in {Status.RATED, Status.UNPRICED}:
            return
        found.pico[leaf.booked] = found.pico.get(leaf.booked, 0) + (leaf.cost_pico or 0)
        place = f"{stream.topic}/{stream.topic_id}/{stream.partition} leaf {row.index}"
        try:
            if stream == CORRECTIONS:
                await self._correction(row, found, place)
                return
            event = await self._codec.decode(InferenceCompleted, record_of(stream, row))
            rated = rate(event, leaf.appended_at, self._book or _NONE)
        except SchemasError as error:
            found.whole = False
            self._report.note(f"{place}: its value cannot be read again ({error}); its tenant's sums were not compared")
            return
        except (UsageError, OverflowingError) as error:
            self._report.add(place, f"it was counted, and cannot be: {error}")
            return
        self._check(row, event, rated, place)
        for key, usage in cells(event, rated, Booking(row.day, leaf.period, leaf.booked)):
            found.add(key, usage)

    def _check(self, row: Row, event: InferenceCompleted, rated: Rated, place: str) -> None:
        leaf = row.leaf
        if row.occurred_at != event.occurred_at:
            self._report.add(place, f"occurred_at: the column says {row.occurred_at}, the value {event.occurred_at}")
        if (event.event_id.lower(), event.tenant_id) != (leaf.event_id, leaf.tenant):
            self._report.add(place, f"entry: it is not of event {event.event_id} of {event.tenant_id}")
        if self._book is not None and (rated.pico_usd, rated.version) != (leaf.cost_pico, leaf.price_version):
            said = f"{leaf.cost_pico} by {leaf.price_version or 'no version'}"
            self._report.add(place, f"amount: {said}; the price log gives {rated.pico_usd} by {rated.version}")

    async def _correction(self, row: Row, found: Recount, place: str) -> None:
        """Its parts to their cells; itself against its event, and against what it corrects."""
        event = await self._codec.decode(UsageAdjusted, record_of(CORRECTIONS, row))
        held = await self._ledger.find("event_id", event.ref_event_id, 1)
        if not held or held[0][1].tenant != row.leaf.tenant:
            self._report.add(place, f"it corrects {event.ref_event_id}, which is no record of its tenant")
            return
        stream, _, index = held[0]
        (of,) = await self._ledger.rows(stream, index, 1)
        for what in _unlike(row, event, of):
            self._report.add(place, what)
        await self._current(row, event, place)
        original = await self._codec.decode(InferenceCompleted, record_of(stream, of))
        if self._book is not None:
            rated = rate(original, row.leaf.appended_at, self._book)
            if (rated.pico_usd, rated.version) != (event.new_pico_usd, event.price_version):
                self._report.add(place, f"new amount: {event.new_pico_usd}; the price log gives {rated.pico_usd}")
        booking = Booking(of.day, of.leaf.period, row.leaf.booked)
        for part in event.parts:
            more = Usage(pico_usd=part.delta_pico_usd, unpriced=part.delta_unpriced)
            if self._book is None:
                more = Usage()
            found.add(key_of(original, booking, part.provider, part.model), more)

    async def _current(self, row: Row, event: UsageAdjusted, place: str) -> None:
        now = (await self._ledger.corrected([event.ref_event_id])).get(event.ref_event_id)
        said = (row.leaf.appended_at, event.new_pico_usd, event.price_version)
        if now is None or now.at < row.leaf.appended_at or (now.at == row.leaf.appended_at and tuple(now) != said):
            self._report.add(place, "the ledger does not know it as what the event comes to since")


def _unlike(row: Row, event: UsageAdjusted, of: Row) -> list[str]:
    """Where a correction's leaf, its event and the record that it corrects differ."""
    leaf = row.leaf
    pairs = (
        ("event_id", event.event_id, leaf.event_id),
        ("tenant_id", event.tenant_id, leaf.tenant),
        ("period", event.period, leaf.booked),
        ("original_period", event.original_period, leaf.period),
        ("period of the record", of.leaf.period, leaf.period),
        ("delta_pico_usd", event.delta_pico_usd, leaf.cost_pico),
        ("price_version", event.price_version, leaf.price_version),
        ("new less old amount", (event.new_pico_usd or 0) - (event.old_pico_usd or 0), leaf.cost_pico),
        ("sum of parts", sum(part.delta_pico_usd for part in event.parts), leaf.cost_pico),
    )
    return [f"{name}: {said!r}, the leaf says {held!r}" for name, said, held in pairs if said != held]
