"""What a record is in a table that people and programs read: one row, the same columns in every format. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from roggia_schemas.events import InferenceCompleted

from roggia_auditor.errors import UsageError
from roggia_auditor.ledger.model import TOKENS, Row
from roggia_auditor.pricing.classes import counted

Value = str | int | float | None


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    REAL = "real"


class Source(NamedTuple):
    """What a row is made of: the log's name, the record, its event (None where it does not read), its tokens."""

    log: str
    row: Row
    event: InferenceCompleted | None
    tokens: Mapping[str, int] | None


class Column(NamedTuple):
    """One column."""

    name: str
    kind: Kind
    of: Callable[[Source], Value]


def _event(name: str, kind: Kind, of: Callable[[InferenceCompleted], Value]) -> Column:
    return Column(name, kind, lambda source: None if source.event is None else of(source.event))


def _last(name: str, of: Callable[[Any], Value]) -> Column:
    """Of the last attempt; empty for an answer from the cache."""
    return _event(name, Kind.TEXT, lambda event: of(event.attempts[-1]) if event.attempts else "")


def _tokens(name: str) -> Column:
    return Column(name, Kind.INTEGER, lambda source: None if source.tokens is None else source.tokens[name])


_T, _I, _R = Kind.TEXT, Kind.INTEGER, Kind.REAL
COLUMNS = (
    Column("log", _T, lambda source: source.log),
    Column("index", _I, lambda source: source.row.index),
    Column("tenant_seq", _I, lambda source: source.row.leaf.tenant_seq),
    Column("offset", _I, lambda source: source.row.leaf.offset),
    Column("event_id", _T, lambda source: source.row.leaf.event_id),
    Column("occurred_at_ms", _I, lambda source: source.row.occurred_at),
    Column("appended_at_ms", _I, lambda source: source.row.leaf.appended_at),
    Column("status", _T, lambda source: source.row.leaf.status.name),
    Column("reason", _T, lambda source: source.row.leaf.reason),
    Column("day", _T, lambda source: source.row.day),
    Column("period", _T, lambda source: source.row.leaf.period),
    Column("booked", _T, lambda source: source.row.leaf.booked),
    Column("cost_pico_usd", _I, lambda source: source.row.leaf.cost_pico),
    Column("price_version", _T, lambda source: source.row.leaf.price_version),
    _event("request_id", _T, lambda event: event.request_id),
    _event("response_id", _T, lambda event: event.response_id),
    _event("trace_id", _T, lambda event: event.trace_id),
    _event("key_id", _T, lambda event: event.key_id),
    _event("subject", _T, lambda event: event.subject),
    _event("operation", _T, lambda event: event.operation.value),
    _event("origin", _T, lambda event: event.origin.value),
    _event("outcome", _T, lambda event: event.outcome.value),
    _event("finish_reason", _T, lambda event: event.finish_reason),
    _event("cache", _T, lambda event: event.cache.value),
    _event("attempts", _I, lambda event: len(event.attempts)),
    _last("provider", lambda attempt: attempt.provider),
    _last("model", lambda attempt: attempt.model),
    _last("model_version", lambda attempt: attempt.model_version),
    _event("prompt", _T, lambda event: event.prompt.name if event.prompt else ""),
    _event("prompt_version", _T, lambda event: event.prompt.version if event.prompt else ""),
    _event("prompt_variant", _T, lambda event: event.prompt.variant if event.prompt else ""),
    *(_tokens(name) for name in TOKENS),
    _event("domain", _T, lambda event: event.retrieval.domain if event.retrieval else ""),
    _event("generation", _I, lambda event: event.retrieval.generation if event.retrieval else None),
    _event("passages", _I, lambda event: len(event.retrieval.passages) if event.retrieval else 0),
    _event("tools", _I, lambda event: len(event.tools)),
    _event("redaction", _T, lambda event: event.redaction.status.value if event.redaction else ""),
    _event("latency_ms", _R, lambda event: event.latency_ms),
    _event("first_token_ms", _R, lambda event: event.first_token_ms),
)
"""Tokens are those of all attempts, each in exactly one class, as they were booked."""
SUMS = ("cost_pico_usd", *TOKENS)
"""Columns whose sums the manifest holds."""


def flat(log: str, row: Row, event: InferenceCompleted | None) -> tuple[Value, ...]:
    """The row, in the order of `COLUMNS`."""
    source = Source(log, row, event, None if event is None else _counted(event))
    return tuple(column.of(source) for column in COLUMNS)


def _counted(event: InferenceCompleted) -> Mapping[str, int] | None:
    """Tokens by class over all attempts; None for counts that cannot be, whose record is parked."""
    found = dict.fromkeys(TOKENS, 0)
    try:
        for attempt in event.attempts:
            for one, count in counted(attempt.usage).items():
                found[one.value] += count
    except UsageError:
        return None
    return found
