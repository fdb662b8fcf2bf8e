"""Records that move from the PostgreSQL ledger into segments: what stays of them. `one` is within a transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from roggia_auditor.adapters import columns
from roggia_auditor.adapters.postgres_ledger.schema import NUMBER, STREAM, P
from roggia_auditor.errors import LedgerConflictError, LedgerError
from roggia_auditor.ledger.model import Known, Stream
from roggia_auditor.retention.segment import Moved, Segment, Span, of_manifest
from roggia_auditor.tlog.hashes import SIZE
from roggia_auditor.tlog.tiles import WIDTH

_LEAVES = f"stream = {NUMBER} AND leaf_index >= $4 AND leaf_index < $5"
_KEEP_LEAVES = (
    f"INSERT INTO {P}moved_leaves SELECT stream, min(leaf_index), string_agg(leaf_hash, ''::bytea ORDER BY leaf_index) "
    f"FROM {P}records WHERE {_LEAVES} GROUP BY stream, leaf_index / {WIDTH}"
)
"""Leaf hashes, those of one tile in one row."""
_KEEP_EVENTS = (
    f"INSERT INTO {P}moved_events SELECT decode(replace(event_id, '-', ''), 'hex'), "
    f"substring(entry FROM octet_length(entry) - {SIZE - 1}), tenant FROM {P}records WHERE {_LEAVES} AND status <> 4"
)
"""Events with the hash of their value, which is the end of an entry (`roggia_auditor.leaf`)."""


async def segments(one: Any) -> Sequence[Segment]:
    """Every segment, oldest first."""
    rows = await one.fetch(f"SELECT manifest, dropped FROM {P}segments ORDER BY month, stream, first_leaf")
    return [of_manifest(text, dropped=dropped) for text, dropped in rows]


async def moved(one: Any, stream: Stream | None = None) -> Sequence[Moved]:
    """Spans that are in segments, of a stream or of all, in order."""
    query = (
        f"SELECT topic, topic_id, partition, month, first_leaf, end_leaf, dropped FROM {P}segments g "
        f"JOIN {P}streams s ON s.id = g.stream {'' if stream is None else f'WHERE {STREAM}'} "
        "ORDER BY g.stream, first_leaf"
    )
    rows = await one.fetch(query, *(() if stream is None else stream))
    return [Moved(Span(Stream(*row[:3]), *row[3:6]), row[6]) for row in map(tuple, rows)]


async def known(one: Any, event_ids: Sequence[str]) -> Mapping[str, Known]:
    """Those of the events whose records have moved."""
    query = f"SELECT event, value_sha256, tenant FROM {P}moved_events WHERE event = ANY($1::bytea[])"
    rows = await one.fetch(query, [columns.event_bytes(event) for event in event_ids])
    return {str(uuid.UUID(bytes=bytes(event))): Known(bytes(digest), tenant) for event, digest, tenant in rows}


async def leaves(one: Any, stream: Stream, start: int, end: int) -> list[bytes]:
    """Hashes of the leaves of one tile, as far as they are there, wherever their records are."""
    rows = await one.fetch(f"SELECT leaf_index, leaf_hash FROM {P}records WHERE {_LEAVES}", *stream, start, end)
    found = {index: bytes(held) for index, held in rows}
    query = f"SELECT first_leaf, hashes FROM {P}moved_leaves WHERE stream = {NUMBER} AND first_leaf >= $4"
    for first, held in await one.fetch(f"{query} AND first_leaf < $5", *stream, start, end):
        found |= {first + at // SIZE: held[at : at + SIZE] for at in range(0, len(held), SIZE)}
    return [found[index] for index in sorted(found) if index < end]


async def seal(one: Any, segment: Segment) -> None:
    """Enter a segment. Raises `LedgerConflictError` where leaves of it are in one already."""
    stream, month, first, end = segment.span
    if any(held.span.first < end and first < held.span.end for held in await moved(one, stream)):
        raise LedgerConflictError(f"{segment.span.name}: leaves of it are in a segment already")
    query = f"INSERT INTO {P}segments VALUES ({NUMBER}, $4, $5, $6, false, $7)"
    await one.execute(query, *stream, first, end, month, segment.manifest())


async def move(one: Any, span: Span, tiles: int) -> int:
    """Take records of at most so many tiles out of the table; how many that were."""
    query = f"SELECT min(leaf_index) FROM {P}records WHERE {_LEAVES}"
    first = await one.fetchval(query, *span.stream, span.first, span.end)
    if first is None:
        return 0
    values = (*span.stream, first, min(span.end, (first // WIDTH + tiles) * WIDTH))
    await one.execute(_KEEP_LEAVES, *values)
    await one.execute(_KEEP_EVENTS, *values)
    done = await one.execute(f"DELETE FROM {P}records WHERE {_LEAVES}", *values)
    return int(done.split()[-1])


async def drop(one: Any, span: Span) -> None:
    """Mark a segment as dropped. Raises `LedgerConflictError` where it is already, or never was one."""
    values = (*span.stream, span.first, span.end)
    if await one.fetchval(f"SELECT count(*) FROM {P}records WHERE {_LEAVES}", *values):
        raise LedgerError(f"{span.name}: records of it are still in the tables; nothing was dropped")
    query = f"UPDATE {P}segments SET dropped = true WHERE stream = {NUMBER} AND first_leaf = $4 AND end_leaf = $5"
    if await one.execute(f"{query} AND NOT dropped", *values) != "UPDATE 1":
        raise LedgerConflictError(f"{span.name}: it is no segment, or is dropped already")
