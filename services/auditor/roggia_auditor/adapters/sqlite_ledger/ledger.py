"""The ledger in one SQLite file, for one machine. What is committed survives power loss (WAL, synchronous FULL)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from roggia_auditor import leaf as leaves
from roggia_auditor.adapters import columns
from roggia_auditor.adapters.archived import Archived
from roggia_auditor.adapters.sqlite_ledger import checking, moving, reading, writing
from roggia_auditor.adapters.sqlite_ledger.schema import CREATE, STREAM, UPGRADES
from roggia_auditor.errors import LedgerError, LedgerUnavailableError, TreeError
from roggia_auditor.heads.seal import LogHead
from roggia_auditor.leaf import Leaf
from roggia_auditor.ledger.alerts import Alert, Channel, Told
from roggia_auditor.ledger.model import (
    Corrected,
    DayKey,
    Draft,
    Duplicate,
    Head,
    MonthKey,
    Row,
    Stream,
    Usage,
    UsageKey,
)
from roggia_auditor.ports import Counted, HeadEntry, Snapshot, State, Stored, Untold
from roggia_auditor.retention.ports import SegmentReader, Wanted
from roggia_auditor.retention.segment import Moved, Segment, Span
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.tiles import Tile

T = TypeVar("T")


class SqliteLedger:
    """One connection, used by one thread at a time, off the event loop, also when a caller is cancelled.

    `busy_s` is how long to wait for another process's write, seconds. `segments` is where records go that have moved.
    """

    def __init__(self, path: Path, *, busy_s: float = 5.0, segments: SegmentReader | None = None) -> None:
        self._archive = Archived(segments)
        self._path = path
        self._busy_s = busy_s
        self._connection: sqlite3.Connection | None = None
        self._lock = asyncio.Lock()
        self._thread = threading.Lock()

    async def start(self) -> None:
        """Open the file, create what is missing. Raises `LedgerError` for a file of a newer version."""
        await asyncio.to_thread(self._open)

    async def stop(self) -> None:
        """Close the file, once a thread that a cancelled caller has left is done with it."""
        async with self._lock:
            if self._connection is not None:
                await asyncio.to_thread(self._alone, sqlite3.Connection.close, self._connection)
                self._connection = None

    async def heads(self, streams: Sequence[Stream]) -> Mapping[Stream, Head]:
        """See `roggia_auditor.ports.Ledger`."""

        def work(connection: sqlite3.Connection) -> Mapping[Stream, Head]:
            found = {stream: reading.head(connection, stream) for stream in streams}
            return {stream: head[1] for stream, head in found.items() if head is not None}

        return await self._run(work)

    async def streams(self) -> Mapping[Stream, Head]:
        """See `roggia_auditor.ports.Ledger`."""
        return dict((await self._run(reading.streams)).values())

    async def before(self, tenants: Mapping[Stream, Collection[str]], event_ids: Sequence[str]) -> Snapshot:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._run(lambda connection: reading.snapshot(connection, tenants, event_ids))

    async def append(self, drafts: Sequence[Draft]) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        await self._run(lambda connection: writing.append(connection, drafts))

    async def everything(self) -> State:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._run(reading.everything)

    async def append_head(
        self, before: Frontier, entry: bytes, notes: Mapping[str, tuple[int, str]], logs: Sequence[LogHead] = ()
    ) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        await self._run(lambda connection: writing.append_head(connection, before, entry, notes, logs))

    async def sealed_logs(self, size: int) -> Sequence[LogHead]:
        """See `roggia_auditor.ports.Ledger`."""
        query = (
            "SELECT origin, size, root, next_offset FROM sealed_logs WHERE (origin, head_index) IN "
            "(SELECT origin, max(head_index) FROM sealed_logs WHERE head_index < ? GROUP BY origin) ORDER BY origin"
        )
        found = await self._run(lambda connection: connection.execute(query, (size,)).fetchall())
        return [LogHead(origin, held, bytes(root), next_offset) for origin, held, root, next_offset in found]

    async def kept(self, origin: str) -> tuple[int, str] | None:
        """See `roggia_auditor.ports.Ledger`."""
        query = "SELECT size, note FROM notes WHERE origin = ?"
        found = await self._run(lambda connection: connection.execute(query, (origin,)).fetchone())
        return None if found is None else (int(found[0]), str(found[1]))

    async def keep(self, origin: str, size: int, note: str) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        query = "UPDATE notes SET note = ? WHERE origin = ? AND size = ?"
        await self._run(lambda connection: connection.execute(query, (note, origin, size)))

    async def head_entries(self, start: int, limit: int) -> Sequence[HeadEntry]:
        """See `roggia_auditor.ports.Ledger`."""
        query = "SELECT leaf_index, entry, peaks FROM head_log WHERE leaf_index >= ? ORDER BY leaf_index LIMIT ?"
        found = await self._run(lambda connection: connection.execute(query, (start, limit)).fetchall())
        return [columns.head_entry(*row) for row in found]

    async def rows(self, stream: Stream, start: int, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.ports.Ledger`."""
        query = (
            f"SELECT {', '.join(columns.ROW)} FROM records WHERE stream = (SELECT id FROM streams WHERE {STREAM}) "
            "AND leaf_index >= ? ORDER BY leaf_index LIMIT ?"
        )
        found = await self._run(lambda connection: connection.execute(query, (*stream, start, limit)).fetchall())
        held = [columns.from_record(row) for row in found]
        return await self._archive.rows(held, await self.moved(stream), start, limit)

    async def tenant_rows(self, stream: Stream, tenant: str, start: int, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.ports.Ledger`."""
        query = (
            f"SELECT {', '.join(columns.ROW)} FROM records WHERE stream = (SELECT id FROM streams WHERE {STREAM}) "
            "AND tenant = ? AND tenant_seq >= ? ORDER BY tenant_seq LIMIT ?"
        )
        values = (*stream, tenant, start, limit)
        found = await self._run(lambda connection: connection.execute(query, values).fetchall())
        held = [columns.from_record(row) for row in found]
        return await self._archive.tenant_rows(held, await self.moved(stream), tenant, start, limit)

    async def tile(self, stream: Stream, tile: Tile) -> Sequence[bytes]:
        """See `roggia_auditor.ports.Ledger`."""
        found = await self._run(lambda connection: reading.tile(connection, stream, tile))
        if len(found) != tile.width:
            raise TreeError(f"{stream}: {tile.path()} holds {len(found)} hashes, not {tile.width}")
        return found

    async def duplicates(self, stream: Stream, start: int, limit: int) -> Sequence[Duplicate]:
        """See `roggia_auditor.ports.Ledger`."""
        query = (
            'SELECT "offset", event_id, value_sha256, same, tenant FROM duplicates '
            f'WHERE stream = (SELECT id FROM streams WHERE {STREAM}) AND "offset" >= ? ORDER BY "offset" LIMIT ?'
        )
        found = await self._run(lambda connection: connection.execute(query, (*stream, start, limit)).fetchall())
        return [
            Duplicate(offset, event, bytes(digest), bool(same), whose) for offset, event, digest, same, whose in found
        ]

    async def usage(self, tenant: str, booked: str) -> Mapping[UsageKey, Usage]:
        """See `roggia_auditor.ports.Ledger`."""
        wanted = "tenant = ?" if not booked else "tenant = ? AND booked = ?"
        query = f"SELECT {', '.join((*columns.USAGE_KEY, *columns.USAGE_SUMS))} FROM usage WHERE {wanted}"
        values = (tenant,) if not booked else (tenant, booked)
        return dict(
            map(columns.to_usage, await self._run(lambda connection: connection.execute(query, values).fetchall()))
        )

    async def corrected(self, event_ids: Sequence[str]) -> Mapping[str, Corrected]:
        """See `roggia_auditor.ports.Ledger`."""
        return dict(await self._run(lambda connection: list(checking.corrected(connection, event_ids))))

    async def stored(self, stream: Stream, start: int, limit: int) -> Sequence[Stored]:
        """See `roggia_auditor.ports.Ledger`."""
        held = await self._run(lambda connection: checking.stored(connection, stream, start, limit))
        return await self._archive.stored(held, await self.moved(stream), start, limit)

    async def tile_hashes(self, stream: Stream, level: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._run(lambda connection: checking.tile_hashes(connection, stream, level, start, limit))

    async def counted(self, tenant: str) -> Counted:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._run(lambda connection: checking.counted(connection, tenant))

    async def counted_tenants(self) -> Sequence[str]:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._run(checking.counted_tenants)

    async def untold(self, limit: int) -> Untold:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._run(lambda connection: reading.untold(connection, limit))

    async def told(self, months: Mapping[MonthKey, int], days: Mapping[DayKey, int]) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        await self._run(lambda connection: writing.told(connection, months, days))

    async def told_rows(self, stream: Stream) -> int:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._run(lambda connection: reading.told_rows(connection, stream))

    async def tell_rows(self, stream: Stream, until: int) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        query = f"INSERT OR REPLACE INTO told_rows SELECT id, ? FROM streams WHERE {STREAM}"
        await self._run(lambda connection: connection.execute(query, (until, *stream)))

    async def alerts(self, channel: Channel, limit: int) -> Sequence[Alert]:
        """See `roggia_auditor.ports.Ledger`."""
        query = f"SELECT {', '.join(columns.ALERT)} FROM alerts WHERE {channel.value}_state = 0 ORDER BY at, id LIMIT ?"
        found = await self._run(lambda connection: connection.execute(query, (limit,)).fetchall())
        return [columns.to_alert(row) for row in found]

    async def alerted(self, channel: Channel, ids: Sequence[str], state: Told) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        await self._run(lambda connection: writing.alerted(connection, channel, ids, state))

    async def find(
        self, field: str, value: str, limit: int, tenants: Collection[str] | None = None
    ) -> Sequence[tuple[Stream, Leaf, int]]:
        """See `roggia_auditor.ports.Ledger`."""
        names = sorted(tenants or ())
        seen = "" if tenants is None else f" AND +tenant IN ({', '.join('?' * len(names))})"
        query = (
            "SELECT topic, topic_id, partition, entry, leaf_index FROM records JOIN streams ON streams.id = stream "
            f"WHERE {columns.looked_up(field)}{seen} ORDER BY occurred_at, stream, leaf_index LIMIT ?"
        )
        found = await self._run(lambda connection: connection.execute(query, (value, *names, limit)).fetchall())
        held = [(Stream(*row[:3]), leaves.decoded(bytes(row[3])), int(row[4])) for row in found]
        return await self._archive.find(held, await self._run(moving.moved), Wanted(field, value, tenants), limit)

    async def segments(self) -> Sequence[Segment]:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        return await self._run(moving.segments)

    async def moved(self, stream: Stream) -> Sequence[Moved]:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        return await self._run(lambda connection: moving.moved(connection, stream))

    async def seal(self, segment: Segment, acts: Draft) -> None:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        await self._run(lambda connection: writing.seal(connection, segment, acts))

    async def move(self, span: Span, tiles: int) -> int:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        return await self._run(lambda connection: writing.move(connection, span, tiles))

    async def drop(self, span: Span, acts: Draft) -> None:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        await self._run(lambda connection: writing.drop(connection, span, acts))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """For the other parts of this adapter: what `work` reads. Raises `LedgerUnavailableError`."""
        return await self._run(work)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        async with self._lock:
            if self._connection is None:
                raise LedgerUnavailableError(f"ledger {self._path.name} is not open")
            try:
                return await asyncio.to_thread(self._alone, work, self._connection)
            except sqlite3.OperationalError as error:
                raise LedgerUnavailableError(f"ledger {self._path.name}: {error}") from error
            except sqlite3.DatabaseError as error:
                raise LedgerError(f"ledger {self._path.name}: {error}; restore it from a backup") from error

    def _alone(self, work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
        with self._thread:  # a cancelled caller has let go of the other lock, its thread may still be at work
            return work(connection)

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=self._busy_s, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._create(connection)
        except (OSError, sqlite3.OperationalError) as error:
            raise LedgerUnavailableError(f"ledger {self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"ledger {self._path}: {error}; restore it from a backup") from error
        self._connection = connection

    def _create(self, connection: sqlite3.Connection) -> None:
        latest = columns.SCHEMA_VERSION
        with writing.transaction(connection):  # another process may bring the file up at the same time
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > latest:
                raise LedgerError(f"ledger {self._path} has version {version}, newer than {latest}: upgrade")
            steps = [step for before in range(version or latest, latest) for step in UPGRADES[before]]
            for statement in (*steps, *CREATE, f"PRAGMA user_version = {latest}"):
                connection.execute(statement)
