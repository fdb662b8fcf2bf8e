"""What is read of the ledger in SQLite. Several statements that must fit together are one read transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from roggia_auditor import leaf as leaves
from roggia_auditor.adapters import columns
from roggia_auditor.adapters.sqlite_ledger import moving
from roggia_auditor.adapters.sqlite_ledger.schema import NUMBER, STREAM
from roggia_auditor.ledger.judging import Before
from roggia_auditor.ledger.model import (
    OWN,
    Crossing,
    DayKey,
    Head,
    Known,
    Limits,
    Month,
    MonthKey,
    Stream,
    Usage,
)
from roggia_auditor.ports import DayTotal, MonthTotal, Snapshot, State, Untold
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.tiles import WIDTH, Tile

_AT_ONCE = 500


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """One state of the whole file, for as long as the block lasts."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def head(connection: sqlite3.Connection, stream: Stream) -> tuple[int, Head] | None:
    """Number and head of a stream; None for one that was never seen."""
    query = f"SELECT id, next_offset, size, peaks FROM streams WHERE {STREAM}"
    found = connection.execute(query, stream).fetchone()
    if found is None:
        return None
    number, next_offset, size, peaks = found
    return number, Head(next_offset, Frontier.decoded(size, bytes(peaks)))


def snapshot(
    connection: sqlite3.Connection, tenants: Mapping[Stream, Collection[str]], event_ids: Sequence[str]
) -> Snapshot:
    """What a batch is judged by."""
    with reading(connection):
        streams = {stream: _before(connection, stream, list(names)) for stream, names in tenants.items()}
        return Snapshot(streams, dict(_known(connection, event_ids)))


def _before(connection: sqlite3.Connection, stream: Stream, tenants: Sequence[str]) -> Before:
    """What is held of one stream and its tenants."""
    found = head(connection, stream)
    if found is None:
        return Before(Head(), {})
    return Before(found[1], dict(_sequences(connection, found[0], tenants)))


def streams(connection: sqlite3.Connection) -> dict[int, tuple[Stream, Head]]:
    """Every stream by its number, and how far it is."""
    query = "SELECT id, topic, topic_id, partition, next_offset, size, peaks FROM streams"
    return {
        number: (Stream(topic, topic_id, partition), Head(next_offset, Frontier.decoded(size, bytes(peaks))))
        for number, topic, topic_id, partition, next_offset, size, peaks in connection.execute(query)
    }


def everything(connection: sqlite3.Connection) -> State:
    """All heads, numbers and checkpoints."""
    with reading(connection):
        known = streams(connection)
        last: dict[str, dict[Stream, int]] = {}
        for number, tenant, found in connection.execute("SELECT stream, tenant, last FROM sequences"):
            last.setdefault(tenant, {})[known[number][0]] = found
        notes = {origin: (size, note) for origin, size, note in connection.execute("SELECT * FROM notes")}
        return State(dict(known.values()), last, head_log(connection), notes)


def head_log(connection: sqlite3.Connection) -> Frontier:
    """The right edge of the head log."""
    found = connection.execute("SELECT leaf_index, peaks FROM head_log ORDER BY leaf_index DESC LIMIT 1").fetchone()
    return Frontier() if found is None else Frontier.decoded(found[0] + 1, bytes(found[1]))


def _known(connection: sqlite3.Connection, event_ids: Sequence[str]) -> Iterator[tuple[str, Known]]:
    """Those of the events that are there."""
    for start in range(0, len(event_ids), _AT_ONCE):
        some = event_ids[start : start + _AT_ONCE]
        query = f"SELECT entry FROM records WHERE status <> 4 AND event_id IN ({', '.join('?' * len(some))})"
        for (entry,) in connection.execute(query, some):
            leaf = leaves.decoded(bytes(entry))
            yield leaf.event_id, Known(leaf.value_sha256, leaf.tenant)
    yield from moving.known(connection, event_ids)


def _sequences(connection: sqlite3.Connection, number: int, tenants: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Last numbers of those of the tenants that have one."""
    for start in range(0, len(tenants), _AT_ONCE):
        some = tenants[start : start + _AT_ONCE]
        query = f"SELECT tenant, last FROM sequences WHERE stream = ? AND tenant IN ({', '.join('?' * len(some))})"
        yield from connection.execute(query, (number, *some))


def tile(connection: sqlite3.Connection, stream: Stream, wanted: Tile) -> list[bytes]:
    """Hashes of a tile, as far as they are there."""
    start = wanted.index * WIDTH
    if wanted.level == 0:
        with reading(connection):
            return moving.leaves(connection, stream, start, start + wanted.width)
    query = (
        f"SELECT hash FROM tiles WHERE stream = {NUMBER} AND level = ? AND hash_index >= ? AND hash_index < ? "
        "ORDER BY hash_index"
    )
    values = (*stream, wanted.level, start, start + wanted.width)
    return [bytes(found) for (found,) in connection.execute(query, values)]


def untold(connection: sqlite3.Connection, limit: int) -> Untold:
    """Totals that have changed since they were told."""
    with reading(connection):
        months = [
            MonthTotal(MonthKey(*row[:2]), Month(*row[2:5]), row[7], Limits(*row[5:7]), _crossed(connection, row[:2]))
            for row in connection.execute(
                "SELECT tenant, period, tokens, pico_usd, unpriced, token_limit, pico_limit, seq FROM months "
                "WHERE told < seq ORDER BY tenant, period LIMIT ?",
                (limit,),
            ).fetchall()
        ]
        query = "SELECT tenant, day, provider, model, seq FROM days WHERE told < seq ORDER BY tenant, day LIMIT ?"
        days = [
            DayTotal(DayKey(*row[:4]), _day(connection, row[:4]), row[4])
            for row in connection.execute(query, (limit,)).fetchall()
        ]
        ends = connection.execute("SELECT topic, topic_id, partition, next_offset FROM streams ORDER BY id").fetchall()
        return Untold(months, days, {Stream(*row[:3]): row[3] for row in ends})


def _crossed(connection: sqlite3.Connection, key: tuple[str, str]) -> tuple[Crossing, ...]:
    """Shares of limits that a month has reached."""
    query = "SELECT limit_name, percent FROM crossings WHERE tenant = ? AND period = ? ORDER BY limit_name, percent"
    return tuple(Crossing(*row) for row in connection.execute(query, key))


def _day(connection: sqlite3.Connection, key: tuple[str, ...]) -> Usage:
    """Cells of all months that count the day, and of all prompts."""
    own = ", ".join("?" * len(OWN))
    query = (
        f"SELECT {', '.join(columns.USAGE_SUMS)} FROM usage "
        f"WHERE tenant = ? AND day = ? AND provider = ? AND model = ? AND origin IN ({own})"
    )
    found = Usage()
    for row in connection.execute(query, (*key, *sorted(OWN))):
        found.add(Usage(*row))
    return found


def told_rows(connection: sqlite3.Connection, stream: Stream) -> int:
    """Index of the first record that was not told."""
    query = f"SELECT until FROM told_rows WHERE stream = (SELECT id FROM streams WHERE {STREAM})"
    found = connection.execute(query, stream).fetchone()
    return 0 if found is None else int(found[0])
