"""Records that move from the SQLite ledger into segments: what stays of them. Within the caller's transaction."""

from __future__ import annotations

import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Sequence

from roggia_auditor import leaf as leaf_entries
from roggia_auditor.adapters import columns
from roggia_auditor.adapters.sqlite_ledger.schema import NUMBER, STREAM
from roggia_auditor.errors import LedgerConflictError, LedgerError
from roggia_auditor.ledger.model import NO_EVENT, Known, Stream
from roggia_auditor.retention.segment import Moved, Segment, Span, of_manifest
from roggia_auditor.tlog.hashes import SIZE
from roggia_auditor.tlog.tiles import WIDTH

_AT_ONCE = 500


def segments(connection: sqlite3.Connection) -> list[Segment]:
    """Every segment, oldest first."""
    query = "SELECT manifest, dropped FROM segments ORDER BY month, stream, first_leaf"
    return [of_manifest(text, dropped=bool(dropped)) for text, dropped in connection.execute(query).fetchall()]


def moved(connection: sqlite3.Connection, stream: Stream | None = None) -> list[Moved]:
    """Spans that are in segments, of a stream or of all, in order."""
    query = (
        "SELECT topic, topic_id, partition, month, first_leaf, end_leaf, dropped FROM segments "
        f"JOIN streams ON streams.id = segments.stream {'' if stream is None else f'WHERE {STREAM}'} "
        "ORDER BY segments.stream, first_leaf"
    )
    rows = connection.execute(query, () if stream is None else stream).fetchall()
    return [Moved(Span(Stream(*row[:3]), *row[3:6]), bool(row[6])) for row in rows]


def known(connection: sqlite3.Connection, event_ids: Sequence[str]) -> list[tuple[str, Known]]:
    """Those of the events whose records have moved."""
    found: list[tuple[str, Known]] = []
    if connection.execute("SELECT 1 FROM moved_events LIMIT 1").fetchone() is None:  # asked for each event otherwise
        return found
    for start in range(0, len(event_ids), _AT_ONCE):
        some = [columns.event_bytes(one) for one in event_ids[start : start + _AT_ONCE]]
        query = f"SELECT event, value_sha256, tenant FROM moved_events WHERE event IN ({', '.join('?' * len(some))})"
        rows = connection.execute(query, some).fetchall()
        found += [(str(uuid.UUID(bytes=event)), Known(bytes(digest), tenant)) for event, digest, tenant in rows]
    return found


def leaves(connection: sqlite3.Connection, stream: Stream, start: int, end: int) -> list[bytes]:
    """Hashes of the leaves of one tile, as far as they are there, wherever their records are."""
    query = f"SELECT leaf_index, leaf_hash FROM records WHERE stream = {NUMBER} AND leaf_index >= ? AND leaf_index < ?"
    found = {index: bytes(held) for index, held in connection.execute(query, (*stream, start, end))}
    query = (
        f"SELECT first_leaf, hashes FROM moved_leaves WHERE stream = {NUMBER} AND first_leaf >= ? AND first_leaf < ?"
    )
    for first, held in connection.execute(query, (*stream, start, end)):
        found |= {first + at // SIZE: held[at : at + SIZE] for at in range(0, len(held), SIZE)}
    return [found[index] for index in sorted(found) if index < end]


def seal(connection: sqlite3.Connection, segment: Segment) -> None:
    """Enter a segment. Raises `LedgerConflictError` where leaves of it are in one already."""
    stream, month, first, end = segment.span
    if any(one.span.first < end and first < one.span.end for one in moved(connection, stream)):
        raise LedgerConflictError(f"{segment.span.name}: leaves of it are in a segment already")
    query = f"INSERT INTO segments VALUES ({NUMBER}, ?, ?, ?, 0, ?)"
    connection.execute(query, (*stream, first, end, month, segment.manifest()))


def move(connection: sqlite3.Connection, span: Span, tiles: int) -> int:
    """Take records of at most so many tiles out of the table; how many that were."""
    where = f"stream = {NUMBER} AND leaf_index >= ? AND leaf_index < ?"
    query = f"SELECT min(leaf_index) FROM records WHERE {where}"
    (first,) = connection.execute(query, (*span.stream, span.first, span.end)).fetchone()
    if first is None:
        return 0
    values = (*span.stream, first, min(span.end, (first // WIDTH + tiles) * WIDTH))
    query = f"SELECT leaf_index, entry, leaf_hash FROM records WHERE {where} ORDER BY leaf_index"
    rows = connection.execute(query, values).fetchall()
    _keep(connection, span.stream, rows)
    connection.execute(f"DELETE FROM records WHERE {where}", values)
    return len(rows)


def drop(connection: sqlite3.Connection, span: Span) -> None:
    """Mark a segment as dropped. Raises `LedgerConflictError` where it is already, or never was one."""
    values = (*span.stream, span.first, span.end)
    query = f"SELECT count(*) FROM records WHERE stream = {NUMBER} AND leaf_index >= ? AND leaf_index < ?"
    if connection.execute(query, values).fetchone() != (0,):
        raise LedgerError(f"{span.name}: records of it are still in the tables; nothing was dropped")
    query = (
        f"UPDATE segments SET dropped = 1 WHERE stream = {NUMBER} AND first_leaf = ? AND end_leaf = ? AND dropped = 0"
    )
    if connection.execute(query, values).rowcount != 1:
        raise LedgerConflictError(f"{span.name}: it is no segment, or is dropped already")


def _keep(connection: sqlite3.Connection, stream: Stream, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
    """Leaf hashes, those of one tile in one row, and events with the hash of their value."""
    parts: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    events: list[tuple[bytes, bytes, str]] = []
    for index, entry, leaf_hash in rows:
        parts[index // WIDTH].append((index, leaf_hash))
        leaf = leaf_entries.decoded(bytes(entry))
        if leaf.event_id != NO_EVENT:
            events.append((columns.event_bytes(leaf.event_id), leaf.value_sha256, leaf.tenant))
    kept = [(*stream, held[0][0], b"".join(one for _, one in held)) for held in parts.values()]
    connection.executemany(f"INSERT INTO moved_leaves VALUES ({NUMBER}, ?, ?)", kept)
    connection.executemany("INSERT INTO moved_events VALUES (?, ?, ?)", events)
