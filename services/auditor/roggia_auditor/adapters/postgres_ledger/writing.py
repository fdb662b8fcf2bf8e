"""What changes the ledger in PostgreSQL: `one` is a connection within a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roggia_auditor.adapters import columns
from roggia_auditor.adapters.postgres_ledger import moving
from roggia_auditor.adapters.postgres_ledger.reading import head_log
from roggia_auditor.adapters.postgres_ledger.schema import STREAM, P
from roggia_auditor.errors import LedgerConflictError
from roggia_auditor.heads.seal import LogHead
from roggia_auditor.ledger import alerts
from roggia_auditor.ledger.alerts import Alert, Channel, Told
from roggia_auditor.ledger.model import DayKey, Draft, Month, MonthKey, crossings
from roggia_auditor.retention.segment import Segment, Span
from roggia_auditor.tlog import hashes
from roggia_auditor.tlog.frontier import Frontier

_CELL = (*columns.USAGE_KEY, *columns.USAGE_SUMS)


def _marks(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1))


_INSERT = f"INSERT INTO {P}records ({', '.join(columns.RECORD)}) VALUES ({_marks(len(columns.RECORD))})"
_ADD_USAGE = (
    f"INSERT INTO {P}usage AS held ({', '.join(_CELL)}) VALUES ({_marks(len(_CELL))}) "
    f"ON CONFLICT ({', '.join(columns.USAGE_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = held.{name} + excluded.{name}" for name in columns.USAGE_SUMS)
)
"""PostgreSQL refuses a sum that leaves 64 bits."""
_ADD_DAY = (
    f"INSERT INTO {P}days AS held VALUES ($1, $2, $3, $4, 1, 0) "
    "ON CONFLICT (tenant, day, provider, model) DO UPDATE SET seq = held.seq + 1"
)
_ADD_MONTH = (
    f"INSERT INTO {P}months AS held VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0) "
    "ON CONFLICT (tenant, period) DO UPDATE SET tokens = held.tokens + excluded.tokens, "
    "pico_usd = held.pico_usd + excluded.pico_usd, unpriced = held.unpriced + excluded.unpriced, "
    "token_limit = excluded.token_limit, pico_limit = excluded.pico_limit, seq = held.seq + 1 "
    "RETURNING tokens, pico_usd, unpriced"
)
_SEAL_LOG = (
    f"INSERT INTO {P}sealed_logs (head_index, origin, size, root, next_offset) "
    "SELECT $1::bigint, $2::text, $3::bigint, $4::bytea, $5::bigint "
    f"WHERE NOT EXISTS (SELECT 1 FROM (SELECT size, root, next_offset FROM {P}sealed_logs WHERE origin = $2::text "
    "ORDER BY head_index DESC LIMIT 1) newest "
    "WHERE size = $3::bigint AND root = $4::bytea AND next_offset = $5::bigint)"
)
"""A log that is as it was at the seal before has no row of its own."""

_ALERT = (
    f"INSERT INTO {P}alerts (id, {', '.join(columns.ALERT)}) VALUES ({_marks(1 + len(columns.ALERT))}) "
    "ON CONFLICT (id) DO NOTHING"
)


async def append(one: Any, drafts: Sequence[Draft]) -> None:
    """The drafts of a batch. In the order of their streams, so that two auditors cannot wait for each other."""
    for draft in sorted(drafts, key=lambda draft: draft.stream):
        await enter(one, draft)


async def seal(one: Any, segment: Segment, acts: Draft) -> None:
    """A segment and its act."""
    await enter(one, acts)
    await moving.seal(one, segment)


async def drop(one: Any, span: Span, acts: Draft) -> None:
    """The mark of a dropped segment and its acts."""
    await enter(one, acts)
    await moving.drop(one, span)


async def append_head(
    one: Any, before: Frontier, entry: bytes, notes: Mapping[str, tuple[int, str]], logs: Sequence[LogHead]
) -> None:
    """A leaf of the head log, the newest checkpoints, and those of the logs that have changed.

    Two auditors that append at once meet on the leaf's index.
    """
    if await head_log(one) != before:
        raise LedgerConflictError("the head log has moved: another auditor has sealed")
    after, _ = before.grown([hashes.leaf(entry)])
    await one.execute(f"INSERT INTO {P}head_log VALUES ($1, $2, $3)", before.size, entry, after.encoded())
    await one.executemany(
        f"INSERT INTO {P}notes VALUES ($1, $2, $3) "
        "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, note = excluded.note",
        [(origin, *kept) for origin, kept in sorted(notes.items())],
    )
    await one.executemany(_SEAL_LOG, [(before.size, *log) for log in logs])


async def told(one: Any, months: Mapping[MonthKey, int], days: Mapping[DayKey, int]) -> None:
    """Totals were told at these sequence numbers."""
    await one.executemany(
        f"UPDATE {P}months SET told = $1 WHERE tenant = $2 AND period = $3",
        [(seq, *key) for key, seq in sorted(months.items())],
    )
    await one.executemany(
        f"UPDATE {P}days SET told = $1 WHERE tenant = $2 AND day = $3 AND provider = $4 AND model = $5",
        [(seq, *key) for key, seq in sorted(days.items())],
    )


async def enter(one: Any, draft: Draft) -> None:
    """A draft, within a transaction."""
    number = await _advance(one, draft)
    await one.executemany(_INSERT, [columns.to_record(number, row) for row in draft.rows])
    if twice := await moving.known(one, [row.leaf.event_id for row in draft.rows]):
        raise LedgerConflictError(f"{draft.stream}: {next(iter(twice))} was entered meanwhile, and has moved since")
    await one.executemany(
        f"INSERT INTO {P}tiles VALUES ($1, $2, $3, $4)",
        [(number, tile.level, tile.index, tile.hash) for tile in draft.tiles],
    )
    await one.executemany(
        f"INSERT INTO {P}sequences VALUES ($1, $2, $3) ON CONFLICT (stream, tenant) DO UPDATE SET last = excluded.last",
        [(number, tenant, last) for tenant, last in sorted(draft.sequences.items())],
    )
    await one.executemany(
        f"INSERT INTO {P}duplicates VALUES ($1, $2, $3, $4, $5, $6)",
        [(number, *duplicate) for duplicate in draft.duplicates],
    )
    await one.executemany(_ADD_USAGE, [(*key, *more.values()) for key, more in sorted(draft.usage.items())])
    await one.executemany(_ADD_DAY, sorted(draft.days()))
    for key, more in sorted(draft.months.items()):
        await _alert(one, await _add_month(one, key, more, draft))
    await _alert(one, alerts.unpriced(draft))
    await one.executemany(
        f"INSERT INTO {P}corrected VALUES ($1, $2, $3, $4) ON CONFLICT (event_id) DO UPDATE "
        "SET at = excluded.at, pico_usd = excluded.pico_usd, price_version = excluded.price_version",
        [(event_id, *now) for event_id, now in sorted(draft.corrected.items())],
    )


async def _add_month(one: Any, key: MonthKey, more: Month, draft: Draft) -> list[Alert]:
    """The row stays locked until the transaction ends, so that of two auditors one sees the other's sum. Returns
    alerts for what the month has crossed by now, also earlier."""
    limits = draft.limits[key.tenant]
    sums = await one.fetchrow(_ADD_MONTH, *key, more.tokens, more.pico_usd, more.unpriced, *limits)
    await one.executemany(
        f"INSERT INTO {P}crossings VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [(*key, *crossing) for crossing in crossings(Month(*sums), limits)],
    )
    return alerts.reached(key, Month(*sums), limits, alerts.log_time(draft))


async def _alert(one: Any, found: Iterable[Alert]) -> None:
    """Those that are new; the ledger keeps how it first saw them."""
    await one.executemany(_ALERT, [(alert.id, *alert) for alert in found])


async def alerted(one: Any, channel: Channel, ids: Sequence[str], state: Told) -> None:
    """What has become of alerts on a channel."""
    await one.execute(
        f"UPDATE {P}alerts SET {channel.value}_state = $1 WHERE id = ANY($2::text[])", int(state), list(ids)
    )


async def _advance(one: Any, draft: Draft) -> int:
    """Move the head, if it is still where the draft began. Returns the stream's number."""
    before, after = draft.before, draft.after
    await one.execute(
        f"INSERT INTO {P}streams (topic, topic_id, partition, next_offset, size, peaks) "
        "VALUES ($1, $2, $3, 0, 0, '') ON CONFLICT DO NOTHING",
        *draft.stream,
    )
    moved = await one.fetchval(
        f"UPDATE {P}streams SET next_offset = $4, size = $5, peaks = $6 "
        f"WHERE {STREAM} AND next_offset = $7 AND size = $8 RETURNING id",
        *draft.stream,
        after.next_offset,
        after.frontier.size,
        after.frontier.encoded(),
        before.next_offset,
        before.frontier.size,
    )
    if moved is None:
        raise LedgerConflictError(f"{draft.stream}: its head has moved; another auditor owns the partition")
    return int(moved)
