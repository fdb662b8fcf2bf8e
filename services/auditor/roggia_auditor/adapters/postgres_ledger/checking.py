"""What corrections and checks read of the ledger in PostgreSQL. `one` is a connection."""

from __future__ import annotations

from typing import Any

from roggia_auditor.adapters import columns
from roggia_auditor.adapters.postgres_ledger.reading import streams
from roggia_auditor.adapters.postgres_ledger.schema import NUMBER, P
from roggia_auditor.ledger.model import DayKey, Month, MonthKey
from roggia_auditor.ports import Counted, Stored

CORRECTED = f"SELECT * FROM {P}corrected WHERE event_id = ANY($1::text[])"
STORED = (
    f"SELECT {', '.join(columns.STORED)} FROM {P}records WHERE stream = {NUMBER} "
    "AND leaf_index >= $4 ORDER BY leaf_index LIMIT $5"
)
TILES = (
    f"SELECT hash_index, hash FROM {P}tiles WHERE stream = {NUMBER} AND level = $4 AND hash_index >= $5 "
    "ORDER BY hash_index LIMIT $6"
)
TENANTS = " UNION ".join(
    f"SELECT tenant FROM {P}{table} WHERE tenant <> ''" for table in ("usage", "months", "days", "sequences", "records")
)


def to_stored(row: Any) -> Stored:
    """A record as it lies."""
    return Stored(*row)


async def counted(one: Any, tenant: str) -> Counted:
    """All sums of a tenant, and the heads."""
    cell = ", ".join((*columns.USAGE_KEY, *columns.USAGE_SUMS))
    usage = await one.fetch(f"SELECT {cell} FROM {P}usage WHERE tenant = $1", tenant)
    months = await one.fetch(
        f"SELECT tenant, period, tokens, pico_usd, unpriced FROM {P}months WHERE tenant = $1", tenant
    )
    days = await one.fetch(f"SELECT tenant, day, provider, model FROM {P}days WHERE tenant = $1", tenant)
    return Counted(
        dict((await streams(one)).values()),
        dict(columns.to_usage(tuple(row)) for row in usage),
        {MonthKey(*row[:2]): Month(*row[2:]) for row in map(tuple, months)},
        frozenset(DayKey(*row) for row in map(tuple, days)),
    )
