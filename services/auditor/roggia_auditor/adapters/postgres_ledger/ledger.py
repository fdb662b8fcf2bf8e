"""The ledger in PostgreSQL, for any number of auditors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import asyncpg
from roggia_runtime.adapters.postgres import AWAY

from roggia_auditor import leaf as leaves
from roggia_auditor.adapters import columns
from roggia_auditor.adapters.archived import Archived
from roggia_auditor.adapters.postgres_ledger import checking, moving, reading, writing
from roggia_auditor.adapters.postgres_ledger.schema import CREATE, NUMBER, STREAM, UPGRADES, P
from roggia_auditor.errors import (
    LedgerConflictError,
    LedgerError,
    LedgerUnavailableError,
    OverflowingError,
    TreeError,
)
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
_LOCK = 0x526F676769610003
"""Advisory lock of whoever creates the tables: two auditors may start at once."""


class PostgresLedger:
    """A small pool. Two auditors that own the same partition for a moment take turns on its head.

    `segments` is where records go that have moved.
    """

    def __init__(self, dsn: str, *, timeout_s: float = 10.0, segments: SegmentReader | None = None) -> None:
        self._archive = Archived(segments)
        self._dsn = dsn
        self._timeout_s = timeout_s
        self._pool: Any = None

    async def start(self) -> None:
        """Connect and create what is missing. Raises `LedgerError` for tables of a newer version."""
        await self._away(self._open)

    async def stop(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def heads(self, streams: Sequence[Stream]) -> Mapping[Stream, Head]:
        """See `roggia_auditor.ports.Ledger`."""

        async def read(one: Any) -> Mapping[Stream, Head]:
            found = {stream: await reading.head(one, stream) for stream in streams}
            return {stream: held[1] for stream, held in found.items() if held is not None}

        return await self._read(read)

    async def streams(self) -> Mapping[Stream, Head]:
        """See `roggia_auditor.ports.Ledger`."""
        return dict((await self._read(reading.streams)).values())

    async def before(self, tenants: Mapping[Stream, Collection[str]], event_ids: Sequence[str]) -> Snapshot:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._read(partial(reading.snapshot, tenants=tenants, event_ids=event_ids))

    async def append(self, drafts: Sequence[Draft]) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        await self._write(partial(writing.append, drafts=drafts))

    async def everything(self) -> State:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._read(reading.everything)

    async def append_head(
        self, before: Frontier, entry: bytes, notes: Mapping[str, tuple[int, str]], logs: Sequence[LogHead] = ()
    ) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        await self._write(partial(writing.append_head, before=before, entry=entry, notes=notes, logs=logs))

    async def sealed_logs(self, size: int) -> Sequence[LogHead]:
        """See `roggia_auditor.ports.Ledger`."""
        query = (
            f"SELECT DISTINCT ON (origin) origin, size, root, next_offset FROM {P}sealed_logs "
            "WHERE head_index < $1 ORDER BY origin, head_index DESC"
        )
        found = [LogHead(*row) for row in map(tuple, await self._fetch(query, size))]
        return sorted(found)  # the database may order texts by a language

    async def kept(self, origin: str) -> tuple[int, str] | None:
        """See `roggia_auditor.ports.Ledger`."""
        found = await self._fetch(f"SELECT size, note FROM {P}notes WHERE origin = $1", origin)
        return (int(found[0][0]), str(found[0][1])) if found else None

    async def keep(self, origin: str, size: int, note: str) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        await self._fetch(f"UPDATE {P}notes SET note = $3 WHERE origin = $1 AND size = $2", origin, size, note)

    async def head_entries(self, start: int, limit: int) -> Sequence[HeadEntry]:
        """See `roggia_auditor.ports.Ledger`."""
        query = f"SELECT leaf_index, entry, peaks FROM {P}head_log WHERE leaf_index >= $1 ORDER BY leaf_index LIMIT $2"
        return [columns.head_entry(*row) for row in map(tuple, await self._fetch(query, start, limit))]

    async def rows(self, stream: Stream, start: int, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.ports.Ledger`."""
        where = f"stream = {NUMBER} AND leaf_index >= $4 ORDER BY leaf_index LIMIT $5"
        held = await self._rows(where, *stream, start, limit)
        return await self._archive.rows(held, await self.moved(stream), start, limit)

    async def tenant_rows(self, stream: Stream, tenant: str, start: int, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.ports.Ledger`."""
        where = f"stream = {NUMBER} AND tenant = $4 AND tenant_seq >= $5 ORDER BY tenant_seq LIMIT $6"
        held = await self._rows(where, *stream, tenant, start, limit)
        return await self._archive.tenant_rows(held, await self.moved(stream), tenant, start, limit)

    async def tile(self, stream: Stream, tile: Tile) -> Sequence[bytes]:
        """See `roggia_auditor.ports.Ledger`."""
        found = await self._read(partial(reading.tile, stream=stream, wanted=tile))
        if len(found) != tile.width:
            raise TreeError(f"{stream}: {tile.path()} holds {len(found)} hashes, not {tile.width}")
        return found

    async def duplicates(self, stream: Stream, start: int, limit: int) -> Sequence[Duplicate]:
        """See `roggia_auditor.ports.Ledger`."""
        query = (
            f'SELECT "offset", event_id, value_sha256, same, tenant FROM {P}duplicates '
            f'WHERE stream = {NUMBER} AND "offset" >= $4 ORDER BY "offset" LIMIT $5'
        )
        return [Duplicate(*row) for row in await self._fetch(query, *stream, start, limit)]

    async def usage(self, tenant: str, booked: str) -> Mapping[UsageKey, Usage]:
        """See `roggia_auditor.ports.Ledger`."""
        cell = ", ".join((*columns.USAGE_KEY, *columns.USAGE_SUMS))
        query = f"SELECT {cell} FROM {P}usage WHERE tenant = $1 AND ($2 = '' OR booked = $2)"
        return dict(columns.to_usage(tuple(row)) for row in await self._fetch(query, tenant, booked))

    async def corrected(self, event_ids: Sequence[str]) -> Mapping[str, Corrected]:
        """See `roggia_auditor.ports.Ledger`."""
        found = await self._fetch(checking.CORRECTED, list(event_ids))
        return {event_id: Corrected(*now) for event_id, *now in map(tuple, found)}

    async def stored(self, stream: Stream, start: int, limit: int) -> Sequence[Stored]:
        """See `roggia_auditor.ports.Ledger`."""
        held = list(map(checking.to_stored, await self._fetch(checking.STORED, *stream, start, limit)))
        return await self._archive.stored(held, await self.moved(stream), start, limit)

    async def tile_hashes(self, stream: Stream, level: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """See `roggia_auditor.ports.Ledger`."""
        found = await self._fetch(checking.TILES, *stream, level, start, limit)
        return [(index, bytes(held)) for index, held in map(tuple, found)]

    async def counted(self, tenant: str) -> Counted:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._read(partial(checking.counted, tenant=tenant))

    async def counted_tenants(self) -> Sequence[str]:
        """See `roggia_auditor.ports.Ledger`."""
        return sorted(name for (name,) in await self._fetch(checking.TENANTS))

    async def untold(self, limit: int) -> Untold:
        """See `roggia_auditor.ports.Ledger`."""
        return await self._read(partial(reading.untold, limit=limit))

    async def told(self, months: Mapping[MonthKey, int], days: Mapping[DayKey, int]) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        await self._write(partial(writing.told, months=months, days=days))

    async def told_rows(self, stream: Stream) -> int:
        """See `roggia_auditor.ports.Ledger`."""
        found = await self._fetch(f"SELECT until FROM {P}told_rows WHERE stream = {NUMBER}", *stream)
        return int(found[0][0]) if found else 0

    async def tell_rows(self, stream: Stream, until: int) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        query = (
            f"INSERT INTO {P}told_rows SELECT id, $4 FROM {P}streams WHERE {STREAM} "
            "ON CONFLICT (stream) DO UPDATE SET until = excluded.until"
        )
        await self._fetch(query, *stream, until)

    async def alerts(self, channel: Channel, limit: int) -> Sequence[Alert]:
        """See `roggia_auditor.ports.Ledger`."""
        query = (
            f"SELECT {', '.join(columns.ALERT)} FROM {P}alerts WHERE {channel.value}_state = 0 ORDER BY at, id LIMIT $1"
        )
        return [columns.to_alert(tuple(row)) for row in await self._fetch(query, limit)]

    async def alerted(self, channel: Channel, ids: Sequence[str], state: Told) -> None:
        """See `roggia_auditor.ports.Ledger`."""
        await self._write(partial(writing.alerted, channel=channel, ids=ids, state=state))

    async def find(
        self, field: str, value: str, limit: int, tenants: Collection[str] | None = None
    ) -> Sequence[tuple[Stream, Leaf, int]]:
        """See `roggia_auditor.ports.Ledger`."""
        query = (
            f"SELECT topic, topic_id, partition, entry, leaf_index FROM {P}records JOIN {P}streams s ON s.id = stream "
            f"WHERE {columns.looked_up(field).replace('?', '$1')} AND ($3::text[] IS NULL OR tenant = ANY($3)) "
            "ORDER BY occurred_at, stream, leaf_index LIMIT $2"
        )
        found = await self._fetch(query, value, limit, None if tenants is None else sorted(tenants))
        held = [(Stream(*row[:3]), leaves.decoded(bytes(row[3])), int(row[4])) for row in map(tuple, found)]
        return await self._archive.find(held, await self._read(moving.moved), Wanted(field, value, tenants), limit)

    async def segments(self) -> Sequence[Segment]:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        return await self._read(moving.segments)

    async def moved(self, stream: Stream) -> Sequence[Moved]:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        return await self._read(partial(moving.moved, stream=stream))

    async def seal(self, segment: Segment, acts: Draft) -> None:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        await self._write(partial(writing.seal, segment=segment, acts=acts))

    async def move(self, span: Span, tiles: int) -> int:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        return await self._write(partial(moving.move, span=span, tiles=tiles))

    async def drop(self, span: Span, acts: Draft) -> None:
        """See `roggia_auditor.retention.ports.KeptLedger`."""
        await self._write(partial(writing.drop, span=span, acts=acts))

    async def fetch(self, query: str, *values: object) -> Sequence[Any]:
        """For the other parts of this adapter: rows of one statement. Raises `LedgerUnavailableError`."""
        return await self._fetch(query, *values)

    async def _rows(self, where: str, *values: object) -> Sequence[Row]:
        query = f"SELECT {', '.join(columns.ROW)} FROM {P}records WHERE {where}"
        return [columns.from_record(tuple(row)) for row in await self._fetch(query, *values)]

    async def _open(self) -> None:
        if self._pool is None:
            self._pool = await self._connect()
        async with self._pool.acquire() as one, one.transaction():
            await one.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await one.execute(CREATE)
            version = await one.fetchval(f"SELECT max(version) FROM {P}schema")
            if version is not None and version > columns.SCHEMA_VERSION:
                raise LedgerError(f"ledger tables have version {version}, newer than {columns.SCHEMA_VERSION}: upgrade")
            for step in range(version or columns.SCHEMA_VERSION, columns.SCHEMA_VERSION):
                await one.execute(UPGRADES[step])
            await one.execute(f"INSERT INTO {P}schema VALUES ($1) ON CONFLICT DO NOTHING", columns.SCHEMA_VERSION)

    async def _connect(self) -> Any:
        try:
            return await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=4,
                timeout=self._timeout_s,
                command_timeout=self._timeout_s,
                server_settings={"synchronous_commit": "on"},  # no checkpoint may be ahead of what survives
            )
        except (ValueError, asyncpg.ClientConfigurationError):  # whose words may hold a piece of the password
            raise LedgerError(
                "ledger (PostgreSQL): the DSN cannot be read; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
                "and percent-encode what is reserved in URLs (@ : / ? #)"
            ) from None

    async def _fetch(self, query: str, *values: object) -> Sequence[Any]:
        async def read() -> Sequence[Any]:
            found: Sequence[Any] = await self._connected().fetch(query, *values)
            return found

        return await self._away(read)

    async def _read(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Several statements over one state."""

        async def read() -> T:
            async with self._connected().acquire() as one, one.transaction(isolation="repeatable_read", readonly=True):
                return await work(one)

        return await self._away(read)

    async def _write(self, work: Callable[[Any], Awaitable[T]]) -> T:
        async def write() -> T:
            async with self._connected().acquire() as one, one.transaction():
                return await work(one)

        return await self._away(write)

    def _connected(self) -> Any:
        if self._pool is None:
            raise LedgerUnavailableError("ledger is not connected")
        return self._pool

    async def _away(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except AWAY as error:
            raise LedgerUnavailableError(f"ledger (PostgreSQL): {type(error).__name__}: {error}") from error
        except asyncpg.UniqueViolationError as error:
            raise LedgerConflictError(f"an event of the batch was entered meanwhile ({error})") from error
        except asyncpg.NumericValueOutOfRangeError as error:
            raise OverflowingError(f"a sum of usage leaves 63 bits: {error}") from error
        except asyncpg.PostgresError as error:
            raise LedgerError(f"ledger (PostgreSQL) refuses: {type(error).__name__}: {error}") from error
