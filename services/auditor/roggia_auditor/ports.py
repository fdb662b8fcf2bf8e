"""What the auditor needs from outside: a ledger, the prices of the log, tenants' zones, the event codec."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from roggia_runtime.records import Output, Record
from roggia_schemas.wiretypes import Event

from roggia_auditor.heads.seal import LogHead
from roggia_auditor.leaf import Leaf
from roggia_auditor.ledger.alerts import Alert, Channel, Told
from roggia_auditor.ledger.judging import Before
from roggia_auditor.ledger.model import (
    Corrected,
    Crossing,
    DayKey,
    Draft,
    Duplicate,
    Head,
    Known,
    Limits,
    Month,
    MonthKey,
    Row,
    Stream,
    Usage,
    UsageKey,
)
from roggia_auditor.pricing.entries import PriceBook
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.tiles import Tile

E = TypeVar("E", bound=Event)


class Snapshot(NamedTuple):
    """What the ledger holds of a batch: of each of its streams, and which of its events, by id."""

    streams: Mapping[Stream, Before]
    known: Mapping[str, Known]


class State(NamedTuple):
    """The whole ledger at one instant: heads of all streams, every tenant's last number in each, the head log."""

    heads: Mapping[Stream, Head]
    last: Mapping[str, Mapping[Stream, int]]
    head_log: Frontier
    notes: Mapping[str, tuple[int, str]]
    """By origin: size and text of the newest checkpoint."""


@dataclass(frozen=True, slots=True)
class HeadEntry:
    """One leaf of the head log. `after` is the log's right edge with it."""

    index: int
    entry: bytes
    after: Frontier


class MonthTotal(NamedTuple):
    """A month of a tenant as it is now. `seq` grows with every change; `limits` are those of its last change."""

    key: MonthKey
    month: Month
    seq: int
    limits: Limits
    crossed: tuple[Crossing, ...]


class DayTotal(NamedTuple):
    """A day of a tenant with one model as it is now, of the tenant's own use."""

    key: DayKey
    usage: Usage
    seq: int


class Untold(NamedTuple):
    """Totals that changed since they were told, and what they rest on: next offsets of all streams, the newest last."""

    months: Sequence[MonthTotal]
    days: Sequence[DayTotal]
    as_of: Mapping[Stream, int]


class Stored(NamedTuple):
    """One record's columns as the database gives them, before anything is believed of them."""

    leaf_index: int
    event_id: str
    tenant: str
    tenant_seq: int
    status: int
    booked: str
    day: str
    occurred_at: int
    cost_pico: int | None
    entry: bytes
    leaf_hash: bytes
    value: bytes


class Counted(NamedTuple):
    """All sums of one tenant, and the heads of all streams at that instant."""

    heads: Mapping[Stream, Head]
    usage: Mapping[UsageKey, Usage]
    months: Mapping[MonthKey, Month]
    days: frozenset[DayKey]


class Ledger(Protocol):
    """Records, sums, trees and offsets, which change together or not at all.

    Raises `LedgerUnavailableError` when the database does not answer now, `LedgerError` for what must not be there.
    """

    async def start(self) -> None:
        """Connect and create what is missing. Raises `LedgerError` for data of a newer version."""
        ...

    async def stop(self) -> None:
        """Let go of the connection. Safe to call twice."""
        ...

    async def heads(self, streams: Sequence[Stream]) -> Mapping[Stream, Head]:
        """How far each stream is; those that were never seen are missing."""
        ...

    async def streams(self) -> Mapping[Stream, Head]:
        """Every stream that was ever seen, and how far it is."""
        ...

    async def before(self, tenants: Mapping[Stream, Collection[str]], event_ids: Sequence[str]) -> Snapshot:
        """What a batch is judged by, read in one transaction: tenants of each of its streams, ids of its events."""
        ...

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Write the drafts of a batch in one transaction.

        Raises `LedgerConflictError`, and writes nothing, where a stream's head is no longer its draft's `before`, or
        an event was entered meanwhile. Raises `OverflowingError`, and writes nothing, where a sum leaves 63 bits.
        """
        ...

    async def everything(self) -> State:
        """All heads and numbers, read in one transaction."""
        ...

    async def append_head(
        self, before: Frontier, entry: bytes, notes: Mapping[str, tuple[int, str]], logs: Sequence[LogHead] = ()
    ) -> None:
        """Append a leaf to the head log, and keep the newest checkpoints by origin, in one transaction.

        `logs` are those that the leaf commits to: kept for `sealed_logs`. Raises `LedgerConflictError`, and writes
        nothing, where the head log is no longer `before`.
        """
        ...

    async def sealed_logs(self, size: int) -> Sequence[LogHead]:
        """The logs as the head log's first `size` leaves left them, in order of their names."""
        ...

    async def kept(self, origin: str) -> tuple[int, str] | None:
        """Size and text of a log's newest checkpoint; None for a log without one."""
        ...

    async def keep(self, origin: str, size: int, note: str) -> None:
        """The same checkpoint with more signatures. Nothing happens where another size is the newest by now."""
        ...

    async def head_entries(self, start: int, limit: int) -> Sequence[HeadEntry]:
        """At most `limit` leaves of the head log from `start` on, in order."""
        ...

    async def rows(self, stream: Stream, start: int, limit: int) -> Sequence[Row]:
        """At most `limit` records from leaf `start` on, in order."""
        ...

    async def tile(self, stream: Stream, tile: Tile) -> Sequence[bytes]:
        """Hashes of a tile: leaves on level 0. Raises `TreeError` where the ledger does not hold them all."""
        ...

    async def duplicates(self, stream: Stream, start: int, limit: int) -> Sequence[Duplicate]:
        """At most `limit` duplicates from offset `start` on."""
        ...

    async def usage(self, tenant: str, booked: str) -> Mapping[UsageKey, Usage]:
        """Sums of a tenant that are counted in a month (YYYY-MM), or in every one where it is empty."""
        ...

    async def tenant_rows(self, stream: Stream, tenant: str, start: int, limit: int) -> Sequence[Row]:
        """At most `limit` records of a tenant in a stream from its number `start` on, in order."""
        ...

    async def corrected(self, event_ids: Sequence[str]) -> Mapping[str, Corrected]:
        """What those of the events come to that were corrected."""
        ...

    async def stored(self, stream: Stream, start: int, limit: int) -> Sequence[Stored]:
        """At most `limit` records from leaf `start` on as they lie in the tables: nothing is read into them."""
        ...

    async def tile_hashes(self, stream: Stream, level: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """At most `limit` hashes of a level above 0 from index `start` on, with their indexes."""
        ...

    async def counted(self, tenant: str) -> Counted:
        """All sums of a tenant, read in one transaction with the heads that they hold under."""
        ...

    async def counted_tenants(self) -> Sequence[str]:
        """Every tenant that any sum or number is of, in order."""
        ...

    async def untold(self, limit: int) -> Untold:
        """At most `limit` totals of each kind that were changed and not told, read in one transaction."""
        ...

    async def told(self, months: Mapping[MonthKey, int], days: Mapping[DayKey, int]) -> None:
        """Totals were told at these sequence numbers: what has not changed since is told."""
        ...

    async def told_rows(self, stream: Stream) -> int:
        """Index of the first record of a stream that was not told."""
        ...

    async def tell_rows(self, stream: Stream, until: int) -> None:
        """Records before `until` were told."""
        ...

    async def alerts(self, channel: Channel, limit: int) -> Sequence[Alert]:
        """At most `limit` alerts that a channel has not told, oldest first."""
        ...

    async def alerted(self, channel: Channel, ids: Sequence[str], state: Told) -> None:
        """What has become of alerts on a channel."""
        ...

    async def find(
        self, field: str, value: str, limit: int, tenants: Collection[str] | None = None
    ) -> Sequence[tuple[Stream, Leaf, int]]:
        """Records by event_id, request_id, response_id or trace_id: stream, leaf and index, oldest first.

        With `tenants`, theirs alone: other tenants' records with that id are not among the `limit`.
        """
        ...


class PriceLog(Protocol):
    """The price book as the log has it."""

    async def current(self) -> PriceBook:
        """Every entry that was in the log when it was asked. Raises `UnavailableError` while that cannot be told."""
        ...


class Zones(Protocol):
    """Time zones of tenants."""

    def __call__(self) -> Mapping[str, str]:
        """IANA zone by tenant; UTC for one that is missing."""
        ...


class TenantLimits(Protocol):
    """What tenants may use in a month."""

    def __call__(self) -> Mapping[str, Limits]:
        """Limits by tenant; none for one that is missing."""
        ...


class EventCodec(Protocol):
    """Events from records; the runtime's `EventCodec` is one."""

    async def decode(self, cls: type[E], record: Record) -> E:
        """The event in a record. Raises the schemas package's errors, or `UnavailableError`."""
        ...

    def output(self, topic: str, event: Event) -> Output:
        """The record to produce for an event, with key and headers."""
        ...
