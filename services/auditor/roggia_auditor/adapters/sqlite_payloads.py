"""Keys of subjects and encrypted payloads in SQLite, each in a file of its own.

What is deleted is overwritten in the file (secure_delete), and the journal, which held it too, is emptied.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from roggia_auditor.errors import LedgerUnavailableError
from roggia_auditor.payloads.ports import Extent, SubjectKey

T = TypeVar("T")


class _File:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path, create: str) -> None:
        self._path, self._create = path, create
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Lock()

    async def start(self) -> None:
        """Open the file and create what is missing."""
        await asyncio.to_thread(self._open)

    async def stop(self) -> None:
        """Close the file, once a thread that a cancelled caller has left is done with it."""
        if self._connection is not None:
            await asyncio.to_thread(self._alone, self._close)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Raises `LedgerUnavailableError` for a file that is closed, locked or full."""
        return await asyncio.to_thread(self._alone, work)

    def _alone(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._thread:
            if self._connection is None:
                raise LedgerUnavailableError(f"{self._path.name} is not open")
            try:
                return work(self._connection)
            except sqlite3.OperationalError as error:
                raise LedgerUnavailableError(f"{self._path.name}: {error}") from error

    def _close(self, connection: sqlite3.Connection) -> None:
        connection.close()
        self._connection = None

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute(self._create)
        except (OSError, sqlite3.OperationalError) as error:
            raise LedgerUnavailableError(f"{self._path}: {error}") from error


class SqliteKeys:
    """See `roggia_auditor.payloads.ports.KeyStore`."""

    def __init__(self, path: Path) -> None:
        self._file = _File(
            path,
            "CREATE TABLE IF NOT EXISTS subject_keys (tenant TEXT NOT NULL, subject TEXT NOT NULL, "
            "key_id TEXT NOT NULL UNIQUE, wrapped BLOB NOT NULL, PRIMARY KEY (tenant, subject)) STRICT",
        )
        self.start, self.stop = self._file.start, self._file.stop

    async def get(self, tenant: str, subject: str) -> SubjectKey | None:
        """See `roggia_auditor.payloads.ports.KeyStore`."""
        return await self._file.run(lambda connection: _key(connection, tenant, subject))

    async def add(self, tenant: str, subject: str, key: SubjectKey) -> SubjectKey:
        """See `roggia_auditor.payloads.ports.KeyStore`."""

        def work(connection: sqlite3.Connection) -> SubjectKey:
            query = "INSERT INTO subject_keys VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
            connection.execute(query, (tenant, subject, *key))
            return _key(connection, tenant, subject) or key

        return await self._file.run(work)

    async def destroy(self, key_id: str) -> bool:
        """See `roggia_auditor.payloads.ports.KeyStore`."""
        return await self._file.run(lambda held: _deleted(held, "subject_keys", key_id) > 0)


class SqliteCiphertexts:
    """See `roggia_auditor.payloads.ports.CiphertextStore`."""

    def __init__(self, path: Path) -> None:
        self._file = _File(
            path,
            "CREATE TABLE IF NOT EXISTS payloads (key_id TEXT NOT NULL, event_id TEXT NOT NULL, kind TEXT NOT NULL, "
            "body BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (key_id, event_id, kind)) STRICT",
        )
        self.start, self.stop = self._file.start, self._file.stop

    async def put(self, key_id: str, event_id: str, kind: str, body: bytes, at: int) -> None:
        """See `roggia_auditor.payloads.ports.CiphertextStore`."""
        query, values = "INSERT OR REPLACE INTO payloads VALUES (?, ?, ?, ?, ?)", (key_id, event_id, kind, body, at)
        await self._file.run(lambda connection: connection.execute(query, values))

    async def get(self, key_id: str, event_id: str, kind: str) -> bytes | None:
        """See `roggia_auditor.payloads.ports.CiphertextStore`."""
        query = "SELECT body FROM payloads WHERE key_id = ? AND event_id = ? AND kind = ?"
        found = await self._file.run(lambda connection: connection.execute(query, (key_id, event_id, kind)).fetchone())
        return None if found is None else bytes(found[0])

    async def extent(self, key_id: str) -> Extent:
        """See `roggia_auditor.payloads.ports.CiphertextStore`."""
        query = "SELECT count(*), coalesce(min(at), 0), coalesce(max(at), 0) FROM payloads WHERE key_id = ?"
        return Extent(*await self._file.run(lambda connection: connection.execute(query, (key_id,)).fetchone()))

    async def delete(self, key_id: str) -> int:
        """See `roggia_auditor.payloads.ports.CiphertextStore`."""
        return await self._file.run(lambda held: _deleted(held, "payloads", key_id))


def _key(connection: sqlite3.Connection, tenant: str, subject: str) -> SubjectKey | None:
    query = "SELECT key_id, wrapped FROM subject_keys WHERE tenant = ? AND subject = ?"
    found = connection.execute(query, (tenant, subject)).fetchone()
    return None if found is None else SubjectKey(found[0], bytes(found[1]))


def _deleted(connection: sqlite3.Connection, table: str, key_id: str) -> int:
    """Delete a key's rows from the file, and what the journal still has of them.

    Raises `LedgerUnavailableError` while somebody else reads the file: then the journal still has them.
    """
    count = connection.execute(f"DELETE FROM {table} WHERE key_id = ?", (key_id,)).rowcount
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise LedgerUnavailableError(
            f"{table}: deleted, but another process reads the file, and its journal still holds what was deleted; the "
            "auditor goes on trying, or run it again when nobody reads"
        )
    return count
