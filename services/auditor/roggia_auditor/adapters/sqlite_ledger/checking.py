"""What corrections and checks read of the ledger in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from roggia_auditor.adapters import columns
from roggia_auditor.adapters.sqlite_ledger.reading import reading, streams
from roggia_auditor.adapters.sqlite_ledger.schema import STREAM
from roggia_auditor.ledger.model import Corrected, DayKey, Month, MonthKey, Stream
from roggia_auditor.ports import Counted, Stored

_AT_ONCE = 500
_NUMBER = f"(SELECT id FROM streams WHERE {STREAM})"
TENANTS = ("usage", "months", "days", "sequences", "records")
"""Tables that name tenants."""


def corrected(connection: sqlite3.Connection, event_ids: Sequence[str]) -> Iterator[tuple[str, Corrected]]:
    """Those of the events that were corrected."""
    for start in range(0, len(event_ids), _AT_ONCE):
        some = event_ids[start : start + _AT_ONCE]
        query = f"SELECT * FROM corrected WHERE event_id IN ({', '.join('?' * len(some))})"
        for event_id, *now in connection.execute(query, some):
            yield event_id, Corrected(*now)


def stored(connection: sqlite3.Connection, stream: Stream, start: int, limit: int) -> list[Stored]:
    """Records as they lie."""
    query = (
        f"SELECT {', '.join(columns.STORED)} FROM records WHERE stream = {_NUMBER} "
        "AND leaf_index >= ? ORDER BY leaf_index LIMIT ?"
    )
    return [Stored(*row) for row in connection.execute(query, (*stream, start, limit))]


def tile_hashes(
    connection: sqlite3.Connection, stream: Stream, level: int, start: int, limit: int
) -> list[tuple[int, bytes]]:
    """Hashes of a level above 0, with their indexes."""
    query = (
        f"SELECT hash_index, hash FROM tiles WHERE stream = {_NUMBER} AND level = ? AND hash_index >= ? "
        "ORDER BY hash_index LIMIT ?"
    )
    return [(index, bytes(found)) for index, found in connection.execute(query, (*stream, level, start, limit))]


def counted(connection: sqlite3.Connection, tenant: str) -> Counted:
    """All sums of a tenant, and the heads."""
    with reading(connection):
        cell = ", ".join((*columns.USAGE_KEY, *columns.USAGE_SUMS))
        usage = connection.execute(f"SELECT {cell} FROM usage WHERE tenant = ?", (tenant,)).fetchall()
        query = "SELECT tenant, period, tokens, pico_usd, unpriced FROM months WHERE tenant = ?"
        months = {MonthKey(*row[:2]): Month(*row[2:]) for row in connection.execute(query, (tenant,))}
        query = "SELECT tenant, day, provider, model FROM days WHERE tenant = ?"
        days = frozenset(DayKey(*row) for row in connection.execute(query, (tenant,)))
        heads = dict(streams(connection).values())
    return Counted(heads, dict(map(columns.to_usage, usage)), months, days)


def counted_tenants(connection: sqlite3.Connection) -> list[str]:
    """Every tenant that anything is of."""
    query = " UNION ".join(f"SELECT tenant FROM {table} WHERE tenant <> ''" for table in TENANTS)
    return sorted(name for (name,) in connection.execute(query))
