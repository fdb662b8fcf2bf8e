"""Requests and responses of the audit API, as they travel over HTTP in JSON. Needs msgspec alone.

Numbers that can be beyond 2^53 (money, tokens, offsets, numbers of records) are text: JavaScript and many JSON readers
would round them. Amounts are pico-USD, 10^-12 US dollars. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from typing import Any

import msgspec

ROOT = "/v1"
MAX_LIMIT = 500
"""Most records of one page."""
MAX_BODY_BYTES = 16 * 1024


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the log. `pico_usd` is null where a price is missing, and for what costs nothing to anybody.

    `period` is the month that the event is of, `booked` the one that counts it; `late` says that they differ.
    `status` is RATED, UNPRICED, PARKED, UNREADABLE or ACCESS. `reason` says why it is not RATED.
    """

    log: str
    index: str
    event_id: str
    tenant: str
    tenant_seq: str
    offset: str
    appended_at: int
    occurred_at: int
    day: str
    status: str
    reason: str
    period: str
    booked: str
    late: bool
    pico_usd: str | None
    price_version: str
    request_id: str = ""
    response_id: str = ""
    trace_id: str = ""
    model: str = ""
    prompt: str = ""
    leaf_hash: str


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """A page, newest first. `next` is the cursor of the one behind it; empty on the last."""

    records: tuple[Record, ...]
    next: str = ""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One answered question: when, by which token, what, whose rows and how many of them, and the answer's bytes."""

    event_id: str
    at: int
    actor: str
    action: str
    tenant: str
    query: dict[str, str]
    rows: int
    bytes: int


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """A page of readings, newest first. `next` is the cursor of the one behind it; empty on the last."""

    readings: tuple[Reading, ...]
    next: str = ""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many records match, exactly; those of sealed months are not among them."""

    count: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What proves a record, for whoever trusts only the log's public key. Hashes and bytes in base64.

    The leaf hash of `entry` (RFC 6962) and `path` lead to the root in `checkpoint`, a signed note; `entry` holds the
    SHA-256 of `value`, the event as Kafka had it. `size` is the checkpoint's.
    """

    index: str
    size: str
    entry: str
    path: tuple[str, ...]
    value: str
    checkpoint: str


class RecordWithProof(msgspec.Struct, frozen=True, kw_only=True):
    """One record, its event in words (null where it cannot be read), and its proof (null until it is sealed)."""

    record: Record
    event: dict[str, Any] | None
    proof: Proof | None


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of one group. `by` is what it was grouped by."""

    by: dict[str, str]
    requests: str
    attempts: str
    input: str
    cache_read: str
    cache_write_5m: str
    cache_write_1h: str
    output: str
    reasoning: str
    audio_input: str
    audio_output: str
    image: str
    unpriced: str
    estimated: str
    pico_usd: str


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of a tenant's months, exact: of every record that the ledger held when it was asked."""

    tenant: str
    months: tuple[str, ...]
    rows: tuple[UsageRow, ...]
    exact: bool = True


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """A share of a limit that was reached; `limit` is tokens or pico_usd."""

    limit: str
    percent: int


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant's own inferences came to in a month, and its limits at the last change; null: none."""

    month: str
    tokens: str
    pico_usd: str
    unpriced: str
    token_limit: str | None
    pico_usd_limit: str | None
    crossed: tuple[Crossing, ...]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Every month of a tenant, oldest first."""

    tenant: str
    months: tuple[Month, ...]


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """A record that repeated an event. `same` is whether its bytes were the same; where not, a publisher errs."""

    log: str
    offset: str
    tenant: str
    event_id: str
    value_sha256: str
    same: bool


class Duplicates(msgspec.Struct, frozen=True, kw_only=True):
    """A page of duplicates."""

    duplicates: tuple[Duplicate, ...]
    next: str = ""


class Tenants(msgspec.Struct, frozen=True, kw_only=True):
    """Tenants that have records, of those that the token may see."""

    tenants: tuple[str, ...]


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """A log's newest checkpoint, a signed note."""

    origin: str
    size: str
    checkpoint: str


class Logs(msgspec.Struct, frozen=True, kw_only=True):
    """Every log that was sealed, the head log among them."""

    logs: tuple[Log, ...]


class ExportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose records to export."""

    tenant: str


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """One export. `status` is waiting, running, done or failed; `error` says why it failed. `written` of `records`."""

    id: str
    tenant: str
    status: str
    written: str = "0"
    records: str = "0"
    error: str = ""
    made_at: int = 0


class Exports(msgspec.Struct, frozen=True, kw_only=True):
    """Exports of the tenants that the token may see, newest first."""

    exports: tuple[Export, ...]


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request failed. `field` names the parameter, or is empty."""

    code: str
    message: str
    field: str = ""


class ErrorResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Body of every answer whose status is 4xx or 5xx."""

    error: ErrorDetail
