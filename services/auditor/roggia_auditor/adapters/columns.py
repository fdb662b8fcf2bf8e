"""How a record lies in a table, the same in every database."""

from __future__ import annotations

from typing import Any

from roggia_auditor import leaf as leaves
from roggia_auditor.errors import LedgerError, ProofError, TreeError
from roggia_auditor.ledger.alerts import Alert, AlertKind
from roggia_auditor.ledger.model import USAGE, Row, Usage, UsageKey
from roggia_auditor.ports import HeadEntry
from roggia_auditor.reports import LOOKED_UP
from roggia_auditor.tlog.frontier import Frontier

SCHEMA_VERSION = 2
LOOKUPS = ("request_id", "response_id", "trace_id", "model", "prompt")
RECORD = (
    "stream", "leaf_index", "event_id", "tenant", "tenant_seq", "status", "booked", "day", "occurred_at", *LOOKUPS,
    "cost_pico", "entry", "leaf_hash", "value",
)  # fmt: skip


def checked(name: str) -> str:
    """The name, which is one of `LOOKED_UP`. Raises `LedgerError` for another."""
    if name not in LOOKED_UP:
        raise LedgerError(f"{name!r} is not looked up by; there are {', '.join(LOOKED_UP)}")
    return name


def looked_up(name: str) -> str:
    """The condition that finds records by one of `LOOKED_UP`: with what makes its partial index fit, which neither
    database concludes from a value that it does not see. Raises `LedgerError` for another name."""
    return f"{checked(name)} = ? AND " + ("status <> 4" if name == "event_id" else f"{name} <> ''")


ALERT = (
    "kind", "tenant", "period", "at", "limit_name", "percent", "used", "allowed", "provider", "model",
)  # fmt: skip
"""In the order of `Alert`."""
USAGE_KEY = UsageKey._fields
USAGE_SUMS = USAGE
SIGNED = frozenset({"pico_usd", "unpriced"})
"""Sums that a correction may lower: what it adds to a cell, or to a month, may be less than nothing."""


def to_record(stream: int, row: Row) -> tuple[object, ...]:
    """Values in the order of `RECORD`."""
    leaf = row.leaf
    return (
        stream,
        row.index,
        leaf.event_id,
        leaf.tenant,
        leaf.tenant_seq,
        int(leaf.status),
        leaf.booked,
        row.day,
        row.occurred_at,
        *(row.lookup.get(name, "") for name in LOOKUPS),
        leaf.cost_pico,
        row.entry,
        row.leaf_hash,
        row.value,
    )


ROW = ("leaf_index", "entry", "leaf_hash", "occurred_at", "day", *LOOKUPS, "value")
"""What `from_record` reads, in its order."""


def from_record(values: tuple[Any, ...]) -> Row:
    """The row. Raises `LedgerError` for an entry that does not read."""
    index, entry, leaf_hash, occurred_at, day, *rest = values
    lookup = {name: text for name, text in zip(LOOKUPS, rest[:-1], strict=True) if text}
    entry = bytes(entry)
    try:
        leaf = leaves.decoded(entry)
    except ProofError as error:
        raise LedgerError(f"record {index}: {error}") from error
    return Row(int(index), leaf, entry, bytes(leaf_hash), int(occurred_at), day, lookup, bytes(rest[-1]))


STORED = (
    "leaf_index", "event_id", "tenant", "tenant_seq", "status", "booked", "day", "occurred_at", "cost_pico",
    "entry", "leaf_hash", "value",
)  # fmt: skip
"""What `Stored` holds, in its order."""


def event_bytes(event_id: str) -> bytes:
    """The 16 bytes of an event's id, as events are kept whose records have moved."""
    return bytes.fromhex(event_id.replace("-", ""))


def to_usage(values: tuple[Any, ...]) -> tuple[UsageKey, Usage]:
    """The cell in (*USAGE_KEY, *USAGE_SUMS)."""
    width = len(USAGE_KEY)
    return UsageKey(*values[:width]), Usage(*map(int, values[width:]))


def head_entry(index: int, entry: bytes, peaks: bytes) -> HeadEntry:
    """A leaf of the head log. Raises `LedgerError` where its right edge cannot be that of a tree of its size."""
    try:
        return HeadEntry(int(index), bytes(entry), Frontier.decoded(int(index) + 1, bytes(peaks)))
    except TreeError as error:
        raise LedgerError(f"head log, leaf {index}: {error}") from error


def to_alert(values: tuple[Any, ...]) -> Alert:
    """The alert in `ALERT`."""
    return Alert(AlertKind(values[0]), *values[1:])
