"""What is read of the ledger in PostgreSQL. `one` is a connection; several statements want a repeatable read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from roggia_auditor import leaf as leaves
from roggia_auditor.adapters import columns
from roggia_auditor.adapters.postgres_ledger import moving
from roggia_auditor.adapters.postgres_ledger.schema import NUMBER, STREAM, P
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

_HEAD = f"SELECT id, next_offset, size, peaks FROM {P}streams WHERE {STREAM}"


async def head(one: Any, stream: Stream) -> tuple[int, Head] | None:
    """Number and head of a stream; None for one that was never seen."""
    found = await one.fetchrow(_HEAD, *stream)
    return None if found is None else (int(found[0]), _head(*found[1:]))


async def snapshot(one: Any, tenants: Mapping[Stream, Collection[str]], event_ids: Sequence[str]) -> Snapshot:
    """What a batch is judged by."""
    streams = {stream: await _before(one, stream, list(names)) for stream, names in tenants.items()}
    query = f"SELECT entry FROM {P}records WHERE status <> 4 AND event_id = ANY($1::text[])"
    known = await moving.known(one, event_ids)
    return Snapshot(streams, {**known, **dict(_known(await one.fetch(query, list(event_ids))))})


async def streams(one: Any) -> dict[int, tuple[Stream, Head]]:
    """Every stream by its number, and how far it is."""
    query = f"SELECT id, topic, topic_id, partition, next_offset, size, peaks FROM {P}streams"
    return {
        number: (Stream(topic, topic_id, partition), _head(*rest))
        for number, topic, topic_id, partition, *rest in await one.fetch(query)
    }


async def everything(one: Any) -> State:
    """All heads, numbers and checkpoints."""
    known = await streams(one)
    last: dict[str, dict[Stream, int]] = {}
    for number, tenant, found in await one.fetch(f"SELECT stream, tenant, last FROM {P}sequences"):
        last.setdefault(tenant, {})[known[number][0]] = found
    kept = await one.fetch(f"SELECT origin, size, note FROM {P}notes")
    return State(dict(known.values()), last, await head_log(one), {origin: (size, note) for origin, size, note in kept})


async def head_log(one: Any) -> Frontier:
    """The right edge of the head log."""
    found = await one.fetchrow(f"SELECT leaf_index, peaks FROM {P}head_log ORDER BY leaf_index DESC LIMIT 1")
    return Frontier() if found is None else Frontier.decoded(found[0] + 1, bytes(found[1]))


async def tile(one: Any, stream: Stream, wanted: Tile) -> list[bytes]:
    """Hashes of a tile, as far as they are there."""
    start, end = wanted.index * WIDTH, wanted.index * WIDTH + wanted.width
    if wanted.level == 0:
        return await moving.leaves(one, stream, start, end)
    query = f"SELECT hash FROM {P}tiles WHERE stream = {NUMBER} AND level = $6 AND hash_index >= $4"
    found = await one.fetch(f"{query} AND hash_index < $5 ORDER BY hash_index", *stream, start, end, wanted.level)
    return [bytes(held) for (held,) in found]


async def untold(one: Any, limit: int) -> Untold:
    """Totals that have changed since they were told."""
    query = (
        "SELECT tenant, period, tokens, pico_usd, unpriced, token_limit, pico_limit, seq "
        f"FROM {P}months WHERE told < seq ORDER BY tenant, period LIMIT $1"
    )
    months = [
        MonthTotal(MonthKey(*row[:2]), Month(*row[2:5]), row[7], Limits(*row[5:7]), await _crossed(one, *row[:2]))
        for row in map(tuple, await one.fetch(query, limit))
    ]
    query = f"SELECT tenant, day, provider, model, seq FROM {P}days WHERE told < seq ORDER BY tenant, day LIMIT $1"
    days = [
        DayTotal(DayKey(*row[:4]), await _day(one, *row[:4]), row[4])
        for row in map(tuple, await one.fetch(query, limit))
    ]
    ends = await one.fetch(f"SELECT topic, topic_id, partition, next_offset FROM {P}streams ORDER BY id")
    return Untold(months, days, {Stream(*row[:3]): row[3] for row in map(tuple, ends)})


async def _crossed(one: Any, tenant: str, period: str) -> tuple[Crossing, ...]:
    query = f"SELECT limit_name, percent FROM {P}crossings WHERE tenant = $1 AND period = $2 ORDER BY 1, 2"
    return tuple(Crossing(*row) for row in await one.fetch(query, tenant, period))


async def _day(one: Any, *key: str) -> Usage:
    query = (
        f"SELECT {', '.join(columns.USAGE_SUMS)} FROM {P}usage "
        "WHERE tenant = $1 AND day = $2 AND provider = $3 AND model = $4 AND origin = ANY($5::text[])"
    )
    found = Usage()
    for row in await one.fetch(query, *key, sorted(OWN)):
        found.add(Usage(*row))
    return found


async def _before(one: Any, stream: Stream, tenants: list[str]) -> Before:
    found = await head(one, stream)
    if found is None:
        return Before(Head(), {})
    query = f"SELECT tenant, last FROM {P}sequences WHERE stream = $1 AND tenant = ANY($2::text[])"
    return Before(found[1], {name: int(last) for name, last in await one.fetch(query, found[0], tenants)})


def _head(next_offset: int, size: int, peaks: bytes) -> Head:
    return Head(next_offset, Frontier.decoded(size, bytes(peaks)))


def _known(rows: Sequence[Any]) -> Iterator[tuple[str, Known]]:
    for (entry,) in rows:
        leaf = leaves.decoded(bytes(entry))
        yield leaf.event_id, Known(leaf.value_sha256, leaf.tenant)
