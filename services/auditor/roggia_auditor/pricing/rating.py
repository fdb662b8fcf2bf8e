"""What an inference costs: its tokens times the prices of its time. Integers: there is nothing to round."""

from __future__ import annotations

from dataclasses import dataclass

from roggia_schemas.events import AttemptOutcome, InferenceAttempt, InferenceCompleted, UsageSource

from roggia_auditor.errors import OverflowingError
from roggia_auditor.pricing.classes import Counts, TokenClass, context, counted
from roggia_auditor.pricing.entries import Entry, PriceBook, Tariff

MAX_AMOUNT = 2**63 - 1
"""10^-12 US dollars that a ledger's column holds: 9.2 million dollars."""


@dataclass(frozen=True, slots=True)
class RatedAttempt:
    """One attempt with its tokens by class, and what they cost; `pico_usd` None where a price is missing."""

    tariff: Tariff
    counts: Counts
    pico_usd: int | None
    entry: Entry | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class Rated:
    """An inference's amount: None as soon as one attempt has none. `missing` names what has no price."""

    attempts: tuple[RatedAttempt, ...]
    pico_usd: int | None
    version: str
    missing: tuple[str, ...] = ()


def rate(event: InferenceCompleted, appended_at: int, book: PriceBook) -> Rated:
    """The amount of an event that reached the log at `appended_at`.

    Raises `UsageError` for counts that cannot be, `OverflowingError` for an amount beyond `MAX_AMOUNT`.
    """
    rated = tuple(_attempt(one, event.occurred_at, appended_at, book) for one in event.attempts)
    missing = tuple(dict.fromkeys(_missing(one) for one in rated if one.pico_usd is None))
    amounts = [one.pico_usd for one in rated if one.pico_usd is not None]
    total = None if missing else sum(amounts)
    if total is not None and total > MAX_AMOUNT:
        raise OverflowingError(f"event {event.event_id}: {total} pico-USD do not fit 64 bits")
    versions = dict.fromkeys(one.entry.version for one in rated if one.entry is not None)
    return Rated(rated, total, "+".join(sorted(versions)), missing)


def _attempt(attempt: InferenceAttempt, at: int, appended_at: int, book: PriceBook) -> RatedAttempt:
    tariff = Tariff(attempt.provider, attempt.model, attempt.tier, attempt.batch)
    counts = _billed(attempt)
    estimated = attempt.usage_source in {UsageSource.COUNTED, UsageSource.HELD}
    if not counts:
        return RatedAttempt(tariff, counts, 0, None, estimated)
    entry = book.price(tariff, at, appended_at, context(counts))
    amount = None if entry is None else _amount(counts, entry)
    return RatedAttempt(tariff, counts, amount, entry, estimated)


def _billed(attempt: InferenceAttempt) -> Counts:
    """Tokens, and the call itself; nothing of a call that the provider did not begin."""
    counts = counted(attempt.usage)
    if attempt.outcome is AttemptOutcome.REJECTED and not counts:
        return counts
    if attempt.usage_source is UsageSource.NONE and not counts:
        return counts
    return {**counts, TokenClass.REQUEST: 1}


def _amount(counts: Counts, entry: Entry) -> int | None:
    """None where a class that was used has no price. A call has none of its own unless the entry says so."""
    total = 0
    for one, count in counts.items():
        price = entry.pico_usd.get(one, 0 if one is TokenClass.REQUEST else None)
        if price is None:
            return None
        total += count * price
    return total


def _missing(rated: RatedAttempt) -> str:
    name = "/".join(part for part in (rated.tariff.provider, rated.tariff.model, rated.tariff.tier) if part)
    if rated.tariff.batch:
        name += " (batch)"
    if rated.entry is None:
        return name
    return f"{name}: " + ", ".join(
        one.value for one in rated.counts if one not in rated.entry.pico_usd and one is not TokenClass.REQUEST
    )
