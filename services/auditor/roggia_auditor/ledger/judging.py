"""What a micro-batch of one stream comes to: leaves, duplicates, sums. Pure and deterministic: same log, same draft."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from roggia_runtime.records import Record
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.events import InferenceCompleted, InferenceOrigin
from roggia_schemas.names import check_slug

from roggia_auditor import periods
from roggia_auditor.errors import OverflowingError, UsageError
from roggia_auditor.leaf import Leaf, Status
from roggia_auditor.ledger.model import (
    NO_EVENT,
    Draft,
    Duplicate,
    Head,
    Known,
    Limits,
    Stream,
    Usage,
    UsageKey,
    row_of,
)
from roggia_auditor.periods import Booking
from roggia_auditor.pricing.classes import TokenClass
from roggia_auditor.pricing.entries import PriceBook
from roggia_auditor.pricing.rating import Rated, RatedAttempt, rate

FUTURE_MS = 300_000
"""An event later than its arrival by more is parked (as Stripe does)."""
PAST_MS = 35 * 24 * periods.HOUR_MS
"""An event older than its arrival by more is parked (as Stripe does)."""


class Read(NamedTuple):
    """A record, and its event or why there is none."""

    record: Record
    event: InferenceCompleted | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What records are judged by."""

    book: PriceBook
    zones: Mapping[str, str]
    """Time zone by tenant; UTC for one that is missing."""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """Limits by tenant; none for one that is missing."""
    grace_ms: int = periods.GRACE_MS


@dataclass(frozen=True, slots=True)
class Before:
    """What the ledger holds of one stream before a batch."""

    head: Head
    sequences: Mapping[str, int]
    """Last number of each tenant of the batch; 0 for one that is missing."""


def judge(
    stream: Stream, batch: Sequence[Read], before: Before, known: MutableMapping[str, Known], rules: Rules
) -> Draft:
    """The draft of one stream's part of a batch, in offset order.

    Records before the head's next offset are in the ledger already: skipped. `known` are events that the ledger has,
    by id in lower case; what this part enters is added, so that the next part of the batch knows it too.
    """
    judging = _Judging(stream, before, known, rules)
    for read in batch:
        if read.record.offset >= before.head.next_offset:
            judging.take(read)
    return judging.draft()


class _Judging:
    def __init__(self, stream: Stream, before: Before, known: MutableMapping[str, Known], rules: Rules) -> None:
        self._rules = rules
        self._known = known
        self._draft = Draft(stream, before.head, before.head)
        self._before = before.sequences
        self._next = before.head.next_offset

    def take(self, read: Read) -> None:
        record, event = read.record, read.event
        self._next = record.offset + 1
        value = record.value or b""
        digest = hashlib.sha256(value).digest()
        if event is None:
            self._enter(record, None, digest, _Verdict(Status.UNREADABLE, read.error))
            return
        event_id = event.event_id.lower()
        if (known := self._known.get(event_id)) is not None:
            same = known.value_sha256 == digest
            self._draft.duplicates.append(Duplicate(record.offset, event_id, digest, same, known.tenant))
            return
        verdict = _verdict(record, event, self._rules)
        self._known[event_id] = Known(digest, "" if verdict.nameless else event.tenant_id)
        self._enter(record, event, digest, verdict)
        if verdict.rated is not None and verdict.booking is not None:
            self._sum(event, verdict.rated, verdict.booking)

    def draft(self) -> Draft:
        self._draft.close(self._next, self._rules.limits)
        return self._draft

    def _enter(self, record: Record, event: InferenceCompleted | None, digest: bytes, verdict: _Verdict) -> None:
        tenant = event.tenant_id if event is not None and not verdict.nameless else ""
        booking = verdict.booking or Booking("", "", "")
        rated = verdict.rated
        leaf = Leaf(
            topic_id=self._draft.stream.topic_id,
            partition=record.partition,
            offset=record.offset,
            appended_at=record.timestamp_ms,
            event_id=NO_EVENT if event is None else event.event_id.lower(),
            tenant=tenant,
            tenant_seq=self._draft.number(tenant, self._before),
            status=verdict.status,
            reason=verdict.reason,
            period=booking.period,
            booked=booking.booked,
            cost_pico=None if rated is None else rated.pico_usd,
            price_version="" if rated is None else rated.version,
            value_sha256=digest,
        )
        index = self._draft.before.frontier.size + len(self._draft.rows)
        occurred_at = record.timestamp_ms if event is None else event.occurred_at
        lookup = {} if event is None else _lookup(event)
        self._draft.rows.append(row_of(leaf, index, occurred_at, booking.day, lookup, record.value or b""))

    def _sum(self, event: InferenceCompleted, rated: Rated, booking: Booking) -> None:
        for key, usage in cells(event, rated, booking):
            self._draft.count(key, usage)


def cells(event: InferenceCompleted, rated: Rated, booking: Booking) -> Iterator[tuple[UsageKey, Usage]]:
    """What an event adds to which sums; a key may come twice.

    It adds its whole amount or, where a price is missing, none of it: as its leaf says.
    """
    last = len(rated.attempts) - 1
    for number, attempt in enumerate(rated.attempts):
        usage = _usage(attempt)
        usage.requests = int(number == last)
        if rated.pico_usd is None:
            usage.pico_usd = 0
        yield key_of(event, booking, *attempt.tariff[:2]), usage
    if not rated.attempts:
        yield key_of(event, booking, "", ""), Usage(requests=1)


@dataclass(frozen=True, slots=True)
class _Verdict:
    status: Status
    reason: str = ""
    rated: Rated | None = None
    booking: Booking | None = None
    nameless: bool = False
    """Whether the tenant is not one that records can be numbered by."""


def _verdict(record: Record, event: InferenceCompleted, rules: Rules) -> _Verdict:
    if (wrong := _wrong_tenant(record, event)) is not None:
        return _Verdict(Status.PARKED, wrong, nameless=True)
    if (wrong := _wrong_event(record, event)) is not None:
        return _Verdict(Status.PARKED, wrong)
    try:
        rated = rate(event, record.timestamp_ms, rules.book)
    except (UsageError, OverflowingError) as error:
        return _Verdict(Status.PARKED, str(error))
    zone = rules.zones.get(event.tenant_id, "UTC")
    booking = periods.book(event.occurred_at, record.timestamp_ms, zone, rules.grace_ms)
    if rated.pico_usd is None:
        return _Verdict(Status.UNPRICED, f"no price: {'; '.join(rated.missing)}", rated, booking)
    return _Verdict(Status.RATED, "", rated, booking)


def _wrong_tenant(record: Record, event: InferenceCompleted) -> str | None:
    if (record.key or b"") != event.tenant_id.encode():
        return "key: it is not the event's tenant_id; whose record it is cannot be told"
    try:
        check_slug("tenant_id", event.tenant_id)
    except InvalidNameError as error:
        return str(error)
    return None


def _wrong_event(record: Record, event: InferenceCompleted) -> str | None:
    age = record.timestamp_ms - event.occurred_at
    if age < -FUTURE_MS:
        return f"occurred_at: {-age} ms after it reached the log; more than {FUTURE_MS} is a wrong clock"
    if age > PAST_MS:
        return f"occurred_at: {age} ms before it reached the log; at most {PAST_MS} is counted"
    if "\0" in "".join([text for _, text in _texts(event)]):
        field = next(name for name, text in _texts(event) if "\0" in text)
        return f"{field}: a NUL character; no database keeps one in a text"
    if event.origin is InferenceOrigin.UNKNOWN:
        return "origin: a value that this version does not know; upgrade the auditor"
    return None


def _usage(rated: RatedAttempt) -> Usage:
    found = Usage(attempts=1, pico_usd=rated.pico_usd or 0)
    found.unpriced, found.estimated = int(rated.pico_usd is None), int(rated.estimated)
    for one, count in rated.counts.items():
        if one is not TokenClass.REQUEST:
            setattr(found, _COLUMN[one], count)
    return found


_COLUMN = {one: one.value for one in TokenClass}
"""An Enum's `value` is looked up in Python, and this is asked for each class of each attempt."""


def key_of(event: InferenceCompleted, booking: Booking, provider: str, model: str) -> UsageKey:
    """The cell that sums what an event used of one model."""
    prompt, version = ("", "") if event.prompt is None else (event.prompt.name, event.prompt.version)
    origin = event.origin.value.lower()
    return UsageKey(event.tenant_id, booking.booked, booking.day, provider, model, prompt, version, origin)


def _lookup(event: InferenceCompleted) -> Mapping[str, str]:
    last = event.attempts[-1] if event.attempts else None
    found = {
        "request_id": event.request_id,
        "response_id": event.response_id,
        "trace_id": event.trace_id,
        "model": "" if last is None else f"{last.provider}/{last.model}",
        "prompt": "" if event.prompt is None else f"{event.prompt.name}@{event.prompt.version}",
    }
    return {name: text.replace("\0", "\ufffd") for name, text in found.items() if text}


def _texts(event: InferenceCompleted) -> list[tuple[str, str]]:
    """What is kept of an event as text, by the field's name."""
    found = [("request_id", event.request_id), ("response_id", event.response_id), ("trace_id", event.trace_id)]
    for one in event.attempts:
        found += (("attempts.provider", one.provider), ("attempts.model", one.model), ("attempts.tier", one.tier))
    if event.prompt is not None:
        found += (("prompt.name", event.prompt.name), ("prompt.version", event.prompt.version))
    return found
