"""Inferences, records and trees for tests of the auditor."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from roggia_auditor.ledger.judging import Read
from roggia_auditor.ledger.model import Stream
from roggia_auditor.pricing.classes import TokenClass
from roggia_auditor.pricing.entries import Entry, PriceBook, Tariff
from roggia_auditor.tlog import hashes
from roggia_runtime.records import Record
from roggia_schemas.codec import Codec
from roggia_schemas.events import (
    AnswerCache,
    AttemptOutcome,
    InferenceAttempt,
    InferenceCompleted,
    InferenceOperation,
    InferenceOrigin,
    InferenceOutcome,
    TokenUsage,
    UsageSource,
)

TOPIC = "inference.completed"
TOPIC_ID = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"
STREAM = Stream(TOPIC, TOPIC_ID, 0)
NOON = 1_735_732_800_000
"""2025-01-01T12:00:00Z."""
TARIFF = Tariff("openai", "example-4")
_CODEC = Codec()


def usage(**counts: object) -> TokenUsage:
    """Token counts; what is not named is none."""
    return TokenUsage(**counts)  # type: ignore[arg-type]


def attempt(used: TokenUsage | None = None, **fields: object) -> InferenceAttempt:
    """One good call."""
    values: dict[str, object] = {
        "provider": TARIFF.provider,
        "model": TARIFF.model,
        "outcome": AttemptOutcome.OK,
        "usage": used or usage(input=100, output=10),
        "usage_source": UsageSource.REPORTED,
    }
    return InferenceAttempt(**{**values, **fields})  # type: ignore[arg-type]


def inference(number: int = 1, **fields: object) -> InferenceCompleted:
    """An inference of acme at noon, by default of one attempt."""
    values: dict[str, object] = {
        "event_id": str(uuid.UUID(int=0x0194_1F2A_0000_7000_8000_0000_0000_0000 + number)),
        "occurred_at": NOON,
        "tenant_id": "acme",
        "request_id": f"req-{number}",
        "operation": InferenceOperation.CHAT,
        "origin": InferenceOrigin.LIVE,
        "outcome": InferenceOutcome.OK,
        "cache": AnswerCache.NONE,
        "attempts": (attempt(),),
    }
    if isinstance(fields.get("origin"), str):
        fields = {**fields, "origin": InferenceOrigin(fields["origin"])}
    return InferenceCompleted(**{**values, **fields})  # type: ignore[arg-type]


def record(event: InferenceCompleted, offset: int, *, at: int | None = None, partition: int = 0) -> Record:
    """The event as the log holds it, appended at `at` (by default when it occurred)."""
    appended = event.occurred_at if at is None else at
    return Record(TOPIC, partition, offset, appended, event.tenant_id.encode(), _CODEC.encode(event))


def read(event: InferenceCompleted, offset: int, *, at: int | None = None) -> Read:
    """The record, read."""
    return Read(record(event, offset, at=at), event)


def reads(count: int, *, start: int = 0, tenants: Sequence[str] = ("acme",)) -> list[Read]:
    """Inferences one after the other, tenants in turn."""
    return [read(inference(n + 1, tenant_id=tenants[n % len(tenants)]), n) for n in range(start, start + count)]


def entry(tariff: Tariff = TARIFF, *, start: int = 0, end: int | None = None, **prices: int) -> Entry:
    """A price by class, pico-USD; by default 2.5 dollars per million input tokens and 10 for output."""
    given = prices or {"input": 2_500_000, "output": 10_000_000}
    by_class = {TokenClass(name): pico for name, pico in given.items()}
    return Entry(tariff, start, end, 0, by_class, version="v1", known_from=0)


BOOK = PriceBook([entry()])


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1 as it is written there: the oracle for whatever is faster."""
    if not leaves:
        return hashes.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashes.node(root_of(leaves[:half]), root_of(leaves[half:]))
