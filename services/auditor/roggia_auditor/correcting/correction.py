"""One inference rated again: what was booked for it, what it comes to now, and which sums that changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from roggia_runtime.ids import derived
from roggia_schemas.events import AdjustedPart, AdjustmentReason, InferenceCompleted, UsageAdjusted

from roggia_auditor import periods
from roggia_auditor.ledger.judging import cells
from roggia_auditor.ledger.model import Corrected, Limits, Row, Usage, UsageKey
from roggia_auditor.periods import Booking
from roggia_auditor.pricing.entries import PriceBook
from roggia_auditor.pricing.rating import Rated, rate


@dataclass(frozen=True, slots=True)
class Ground:
    """What the corrections of one run rest on.

    `at` is an instant of the logs, milliseconds since 1970, not of this machine's clock: no earlier than the newest
    record of the ledger, and late enough for every entry of the price book to hold.
    """

    book: PriceBook
    at: int
    zones: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    grace_ms: int = periods.GRACE_MS

    def booked(self, row: Row) -> str:
        """The month that takes a correction of a record: the one that counts it, or the open one once it is closed."""
        zone = self.zones.get(row.leaf.tenant, "UTC")
        return periods.open_month(row.leaf.booked, self.at, zone, self.grace_ms)


class Left(StrEnum):
    """Why a record is left as it is."""

    SAME = "same"
    """It comes to what was booked."""
    NO_PRICE = "no_price"
    """A price is missing: an amount is never taken away for that."""
    UNEXPLAINED = "unexplained"
    """The price log does not give what was booked: somebody must look first."""
    UNREADABLE = "unreadable"
    """Its value cannot be read any more: no schema for it."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What changes for one record. `deltas` are by cell, money and unpriced attempts alone; amounts are pico-USD.

    `since` is when what it corrects was booked: by the record itself or by its newest correction.
    """

    row: Row
    since: int
    booked: str
    old_pico: int | None
    old_version: str
    new_pico: int
    new_version: str
    deltas: Mapping[UsageKey, Usage]

    @property
    def event_id(self) -> str:
        """The same for the same step of the same record, however often it is made. Going back to an earlier version
        of prices, and forth again, are other steps."""
        return derived(self.row.leaf.event_id, "rerated", f"{self.since}:{self.old_version}>{self.new_version}")

    @property
    def delta_pico(self) -> int:
        """Amount to add."""
        return self.new_pico - (self.old_pico or 0)

    def event(self, at: int, by: str, why: str) -> UsageAdjusted:
        """What the correction log holds of it."""
        leaf = self.row.leaf
        return UsageAdjusted(
            event_id=self.event_id,
            occurred_at=at,
            tenant_id=leaf.tenant,
            ref_event_id=leaf.event_id,
            period=self.booked,
            original_period=leaf.period,
            reason=AdjustmentReason.RERATED,
            delta_pico_usd=self.delta_pico,
            price_version=self.new_version,
            by=by,
            why=why,
            old_pico_usd=self.old_pico,
            new_pico_usd=self.new_pico,
            old_price_version=self.old_version,
            parts=tuple(
                AdjustedPart(
                    provider=key.provider, model=key.model, delta_pico_usd=more.pico_usd, delta_unpriced=more.unpriced
                )
                for key, more in sorted(self.deltas.items())
            ),
        )


Outcome: TypeAlias = Correction | Left


def correct(row: Row, event: InferenceCompleted, now: Corrected | None, ground: Ground) -> Outcome:
    """What a rated or unpriced record comes to on this ground; `now` is its newest correction.

    Raises `OverflowingError` for an amount that does not fit 64 bits.
    """
    leaf = row.leaf
    at, pico, version = now or (leaf.appended_at, leaf.cost_pico, leaf.price_version)
    was = rate(event, at, ground.book)
    if (was.pico_usd, was.version) != (pico, version):
        return Left.UNEXPLAINED
    new = rate(event, ground.at, ground.book)
    if new.pico_usd is None:
        return Left.NO_PRICE
    booked = ground.booked(row)
    deltas = _deltas(event, (was, new), Booking(row.day, leaf.period, leaf.booked), booked)
    if not deltas and was.pico_usd is not None:
        return Left.SAME
    return Correction(row, at, booked, pico, version, new.pico_usd, new.version, deltas)


def _deltas(
    event: InferenceCompleted, change: tuple[Rated, Rated], booking: Booking, booked: str
) -> Mapping[UsageKey, Usage]:
    """Unpriced attempts are taken from the month that counts them while it is open; later it keeps them.

    Another month must not go below nothing for them: it would hide as many of its own.
    """
    found: dict[UsageKey, Usage] = {}
    for sign, rated in zip((-1, 1), change, strict=True):
        for key, usage in cells(event, rated, booking):
            unpriced = usage.unpriced if booked == booking.booked else 0
            cell = found.setdefault(key._replace(booked=booked), Usage())
            cell.add(Usage(pico_usd=sign * usage.pico_usd, unpriced=sign * unpriced))
    return {key: more for key, more in found.items() if more != Usage()}
