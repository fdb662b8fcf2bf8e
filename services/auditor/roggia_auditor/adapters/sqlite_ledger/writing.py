"""What changes the ledger in SQLite: each function is one transaction, or a part of one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from roggia_auditor.adapters import columns
from roggia_auditor.adapters.sqlite_ledger import moving
from roggia_auditor.adapters.sqlite_ledger.reading import head_log
from roggia_auditor.adapters.sqlite_ledger.schema import STREAM
from roggia_auditor.errors import LedgerConflictError
from roggia_auditor.heads.seal import LogHead
from roggia_auditor.ledger import alerts
from roggia_auditor.ledger.alerts import Alert, Channel, Told
from roggia_auditor.ledger.model import DayKey, Draft, Limits, Month, MonthKey, Usage, UsageKey, crossings
from roggia_auditor.retention.segment import Segment, Span
from roggia_auditor.tlog import hashes
from roggia_auditor.tlog.frontier import Frontier

_MARKS = ", ".join("?" * len(columns.RECORD))
_INSERT = f"INSERT INTO records ({', '.join(columns.RECORD)}) VALUES ({_MARKS})"
_IS_KEY = " AND ".join(f"{name} = ?" for name in columns.USAGE_KEY)
_READ_USAGE = f"SELECT {', '.join(columns.USAGE_SUMS)} FROM usage WHERE {_IS_KEY}"
_WRITE_USAGE = (
    f"INSERT OR REPLACE INTO usage ({', '.join((*columns.USAGE_KEY, *columns.USAGE_SUMS))}) "
    f"VALUES ({', '.join('?' * (len(columns.USAGE_KEY) + len(columns.USAGE_SUMS)))})"
)
_SEAL_LOG = (
    "INSERT INTO sealed_logs (head_index, origin, size, root, next_offset) SELECT ?1, ?2, ?3, ?4, ?5 "
    "WHERE NOT EXISTS (SELECT 1 FROM (SELECT size, root, next_offset FROM sealed_logs WHERE origin = ?2 "
    "ORDER BY head_index DESC LIMIT 1) WHERE size = ?3 AND root = ?4 AND next_offset = ?5)"
)
"""A log that is as it was at the seal before has no row of its own."""

_ALERT = (
    f"INSERT OR IGNORE INTO alerts (id, {', '.join(columns.ALERT)}) VALUES (?, {', '.join('?' * len(columns.ALERT))})"
)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when the block raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # SQLite itself has ended it where the disk is full
            connection.execute("ROLLBACK")


def append(connection: sqlite3.Connection, drafts: Sequence[Draft]) -> None:
    """The drafts of a batch, all or none."""
    with transaction(connection):
        for draft in drafts:
            enter(connection, draft)


def seal(connection: sqlite3.Connection, segment: Segment, acts: Draft) -> None:
    """A segment and its act."""
    with transaction(connection):
        enter(connection, acts)
        moving.seal(connection, segment)


def move(connection: sqlite3.Connection, span: Span, tiles: int) -> int:
    """Records of a segment out of the table."""
    with transaction(connection):
        return moving.move(connection, span, tiles)


def drop(connection: sqlite3.Connection, span: Span, acts: Draft) -> None:
    """The mark of a dropped segment and its acts."""
    with transaction(connection):
        enter(connection, acts)
        moving.drop(connection, span)


def enter(connection: sqlite3.Connection, draft: Draft) -> None:
    """A draft, within a transaction."""
    number = _advance(connection, draft)
    try:
        connection.executemany(_INSERT, [columns.to_record(number, row) for row in draft.rows])
    except sqlite3.IntegrityError as error:
        raise LedgerConflictError(f"{draft.stream}: an event of the batch was entered meanwhile ({error})") from error
    if twice := moving.known(connection, [row.leaf.event_id for row in draft.rows]):
        raise LedgerConflictError(f"{draft.stream}: {next(iter(twice))[0]} was entered meanwhile, and has moved since")
    connection.executemany(
        "INSERT INTO tiles VALUES (?, ?, ?, ?)", [(number, one.level, one.index, one.hash) for one in draft.tiles]
    )
    connection.executemany(
        "INSERT OR REPLACE INTO sequences VALUES (?, ?, ?)",
        [(number, tenant, last) for tenant, last in draft.sequences.items()],
    )
    connection.executemany(
        "INSERT INTO duplicates VALUES (?, ?, ?, ?, ?, ?)",
        [(number, *one) for one in draft.duplicates],
    )
    connection.executemany(_WRITE_USAGE, [_added(connection, key, more) for key, more in draft.usage.items()])
    connection.executemany(
        "INSERT INTO days VALUES (?, ?, ?, ?, 1, 0) "
        "ON CONFLICT (tenant, day, provider, model) DO UPDATE SET seq = seq + 1",
        sorted(draft.days()),
    )
    for key, more in draft.months.items():
        _alert(connection, _add_month(connection, key, more, draft))
    _alert(connection, alerts.unpriced(draft))
    connection.executemany(
        "INSERT OR REPLACE INTO corrected VALUES (?, ?, ?, ?)",
        [(event_id, *now) for event_id, now in draft.corrected.items()],
    )


def _advance(connection: sqlite3.Connection, draft: Draft) -> int:
    """Move the head, if it is still where the draft began. Returns the stream's number."""
    before, after = draft.before, draft.after
    connection.execute(
        "INSERT INTO streams (topic, topic_id, partition, next_offset, size, peaks) VALUES (?, ?, ?, 0, 0, ?) "
        "ON CONFLICT DO NOTHING",
        (*draft.stream, b""),
    )
    moved = connection.execute(
        f"UPDATE streams SET next_offset = ?, size = ?, peaks = ? WHERE {STREAM} "
        "AND next_offset = ? AND size = ? RETURNING id",
        (
            after.next_offset,
            after.frontier.size,
            after.frontier.encoded(),
            *draft.stream,
            before.next_offset,
            before.frontier.size,
        ),
    ).fetchone()
    if moved is None:
        raise LedgerConflictError(f"{draft.stream}: its head has moved; another auditor owns the partition")
    return int(moved[0])


def _added(connection: sqlite3.Connection, key: UsageKey, more: Usage) -> tuple[object, ...]:
    """The cell's new row. Sums are made here and not by SQLite, which would turn a large one into a float."""
    found = connection.execute(_READ_USAGE, key).fetchone()
    usage = Usage() if found is None else Usage(*found)
    usage.add(more)
    return (*key, *usage.values())


def _add_month(connection: sqlite3.Connection, key: MonthKey, more: Month, draft: Draft) -> list[Alert]:
    """Returns alerts for what the month has crossed by now, also earlier."""
    limits: Limits = draft.limits[key.tenant]
    query = "SELECT tokens, pico_usd, unpriced, seq, told FROM months WHERE tenant = ? AND period = ?"
    *sums, seq, told = connection.execute(query, key).fetchone() or (0, 0, 0, 0, 0)
    month = Month(*sums)
    month.add(more)
    values = (*key, month.tokens, month.pico_usd, month.unpriced, *limits, seq + 1, told)
    connection.execute(f"INSERT OR REPLACE INTO months VALUES ({', '.join('?' * len(values))})", values)
    connection.executemany(
        "INSERT OR IGNORE INTO crossings VALUES (?, ?, ?, ?)", [(*key, *one) for one in crossings(month, limits)]
    )
    return alerts.reached(key, month, limits, alerts.log_time(draft))


def _alert(connection: sqlite3.Connection, found: Iterable[Alert]) -> None:
    """Those that are new; the ledger keeps how it first saw them."""
    connection.executemany(_ALERT, [(one.id, *one) for one in found])


def alerted(connection: sqlite3.Connection, channel: Channel, ids: Sequence[str], state: Told) -> None:
    """What has become of alerts on a channel."""
    with transaction(connection):
        connection.executemany(
            f"UPDATE alerts SET {channel.value}_state = ? WHERE id = ?", [(int(state), one) for one in ids]
        )


def append_head(
    connection: sqlite3.Connection,
    before: Frontier,
    entry: bytes,
    notes: Mapping[str, tuple[int, str]],
    logs: Sequence[LogHead],
) -> None:
    """A leaf of the head log, the newest checkpoints, and those of the logs that have changed."""
    with transaction(connection):
        if head_log(connection) != before:
            raise LedgerConflictError("the head log has moved: another auditor has sealed")
        after, _ = before.grown([hashes.leaf(entry)])
        connection.execute("INSERT INTO head_log VALUES (?, ?, ?)", (before.size, entry, after.encoded()))
        connection.executemany(
            "INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", [(origin, *kept) for origin, kept in notes.items()]
        )
        connection.executemany(_SEAL_LOG, [(before.size, *one) for one in logs])


def told(connection: sqlite3.Connection, months: Mapping[MonthKey, int], days: Mapping[DayKey, int]) -> None:
    """Totals were told at these sequence numbers."""
    with transaction(connection):
        connection.executemany(
            "UPDATE months SET told = ? WHERE tenant = ? AND period = ?", [(seq, *key) for key, seq in months.items()]
        )
        connection.executemany(
            "UPDATE days SET told = ? WHERE tenant = ? AND day = ? AND provider = ? AND model = ?",
            [(seq, *key) for key, seq in days.items()],
        )
