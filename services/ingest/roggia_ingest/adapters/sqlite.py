"""The catalogue in one SQLite file, for one machine. Rows survive kill -9 (WAL, synchronous FULL)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from roggia_runtime.records import Partition

from roggia_ingest.adapters.rows import COLUMNS, SCHEMA_VERSION, domains_of, from_row, to_row
from roggia_ingest.catalogue import DocKey, Entry
from roggia_ingest.errors import CatalogueError, CatalogueUnavailableError, FullError
from roggia_ingest.ownership import lost
from roggia_ingest.ports import Owned

T = TypeVar("T")
_KEYS_AT_ONCE = 400

_CREATE = (
    """CREATE TABLE IF NOT EXISTS documents (
    tenant_id TEXT NOT NULL, doc_id TEXT NOT NULL,
    revision INTEGER NOT NULL, epoch INTEGER NOT NULL, deleted INTEGER NOT NULL,
    domain TEXT NOT NULL, expires_at INTEGER,
    topic TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL,
    current TEXT NOT NULL, older TEXT NOT NULL,
    PRIMARY KEY (tenant_id, doc_id)) STRICT, WITHOUT ROWID""",
    """CREATE INDEX IF NOT EXISTS documents_expiry ON documents (topic, partition, expires_at)
    WHERE expires_at IS NOT NULL""",
    "CREATE INDEX IF NOT EXISTS documents_living ON documents (tenant_id, deleted)",
    """CREATE TABLE IF NOT EXISTS owners (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, producer_id INTEGER NOT NULL, epoch INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)) STRICT, WITHOUT ROWID""",
)
_OWN = """INSERT INTO owners (topic, partition, producer_id, epoch) VALUES (?, ?, ?, ?)
    ON CONFLICT (topic, partition) DO UPDATE SET producer_id = excluded.producer_id, epoch = excluded.epoch
    WHERE (owners.producer_id, owners.epoch) <= (excluded.producer_id, excluded.epoch) RETURNING topic"""
_SAVE = f"INSERT OR REPLACE INTO documents ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608  # constants
_FORGET = "DELETE FROM documents WHERE tenant_id = ?"
_DOMAINS = "SELECT DISTINCT domain, json_extract(current, '$.left_domains') FROM documents WHERE tenant_id = ?"
_LIVING = "SELECT count(*) FROM documents WHERE tenant_id = ? AND deleted = 0"
_REMOVE = "DELETE FROM documents WHERE tenant_id = ? AND doc_id = ?"
_LOAD = "SELECT tenant_id, doc_id, current, older FROM documents WHERE (tenant_id, doc_id) IN (VALUES {})"
_DUE = """SELECT tenant_id, doc_id, current, older FROM documents
    WHERE topic = ? AND partition = ? AND expires_at <= ? AND deleted = 0
    ORDER BY expires_at, tenant_id, doc_id LIMIT ?"""


class SqliteCatalogue:
    """One connection, used by one thread at a time, off the event loop, also when a caller is cancelled.

    `busy_s` is how long to wait for another process's write, seconds.
    """

    def __init__(self, path: Path, *, busy_s: float = 5.0) -> None:
        self._path = path
        self._busy_s = busy_s
        self._connection: sqlite3.Connection | None = None
        self._lock = asyncio.Lock()
        self._thread = threading.Lock()

    async def start(self) -> None:
        """Open the file, create what is missing. Raises `CatalogueError` for a file of a newer version."""
        await asyncio.to_thread(self._open)

    async def stop(self) -> None:
        """Close the file, once a thread that a cancelled caller has left is done with it."""
        async with self._lock:
            if self._connection is not None:
                await asyncio.to_thread(self._alone, sqlite3.Connection.close, self._connection)
                self._connection = None

    async def load(self, keys: Sequence[DocKey]) -> Mapping[DocKey, Entry]:
        """See `roggia_ingest.ports.Catalogue`."""
        return await self._run(lambda connection: dict(_load(connection, keys))) if keys else {}

    async def save(
        self,
        entries: Mapping[DocKey, Entry],
        owned: Owned | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """See `roggia_ingest.ports.Catalogue`."""
        if entries or owned:
            await self._run(lambda connection: _save(connection, entries, owned or {}, limits or {}))

    async def living(self, tenant_id: str) -> int:
        """See `roggia_ingest.ports.Catalogue`."""
        return await self._run(lambda connection: _living(connection, tenant_id))

    async def domains(self, tenant_id: str) -> set[str]:
        """See `roggia_ingest.ports.Catalogue`."""
        return await self._run(lambda connection: domains_of(connection.execute(_DOMAINS, (tenant_id,)).fetchall()))

    async def forget(self, tenant_id: str) -> int:
        """See `roggia_ingest.ports.Catalogue`."""
        return await self._run(lambda connection: int(connection.execute(_FORGET, (tenant_id,)).rowcount))

    async def due(self, source: Partition, before_ms: int, limit: int) -> Mapping[DocKey, Entry]:
        """See `roggia_ingest.ports.Catalogue`."""
        return await self._run(lambda connection: dict(_rows(connection, _DUE, (*source, before_ms, limit))))

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        async with self._lock:
            if self._connection is None:
                raise CatalogueUnavailableError(f"catalogue {self._path.name} is not open")
            try:
                return await asyncio.to_thread(self._alone, work, self._connection)
            except sqlite3.OperationalError as error:
                raise CatalogueUnavailableError(f"catalogue {self._path.name}: {error}") from error

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
            raise CatalogueUnavailableError(f"catalogue {self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise CatalogueError(f"catalogue {self._path}: {error}; restore it, or remove it and replay") from error
        self._connection = connection

    def _create(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise CatalogueError(f"catalogue {self._path} has version {version}, newer than {SCHEMA_VERSION}: upgrade")
        with _transaction(connection):
            for statement in _CREATE:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _load(connection: sqlite3.Connection, keys: Sequence[DocKey]) -> Iterable[tuple[DocKey, Entry]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        values = [part for key in some for part in key]
        yield from _rows(connection, _LOAD.format(", ".join(["(?, ?)"] * len(some))), values)


def _save(
    connection: sqlite3.Connection, entries: Mapping[DocKey, Entry], owned: Owned, limits: Mapping[str, int]
) -> None:
    with _transaction(connection):
        for partition in sorted(owned):
            if not connection.execute(_OWN, (*partition, *owned[partition])).fetchall():
                raise lost(partition, owned[partition])
        connection.executemany(_REMOVE, [key for key, entry in entries.items() if entry.current is None])
        connection.executemany(_SAVE, [row for row in map(to_row, entries.items()) if row is not None])
        if full := [tenant_id for tenant_id, limit in limits.items() if _living(connection, tenant_id) > limit]:
            raise FullError(full)


def _living(connection: sqlite3.Connection, tenant_id: str) -> int:
    (found,) = connection.execute(_LIVING, (tenant_id,)).fetchone()
    return int(found)


def _rows(connection: sqlite3.Connection, query: str, values: Sequence[object]) -> Iterable[tuple[DocKey, Entry]]:
    return map(from_row, connection.execute(query, values).fetchall())


class _transaction:  # noqa: N801  # reads as the statement that it is
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when the block raises."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # SQLite itself has ended it where the disk is full
                self._connection.execute("ROLLBACK")
