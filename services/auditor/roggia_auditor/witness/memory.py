"""What a witness has signed, in one SQLite file that is flushed before it answers."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from roggia_auditor.witness.judging import Seen

_CREATE = "CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL) STRICT"


class SqliteMemory:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(_CREATE)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def last(self, origin: str) -> Seen | None:
        """See `Memory`."""
        with self._lock:
            return self._last(origin)

    def advance(self, origin: str, before: Seen | None, after: Seen) -> bool:
        """See `Memory`."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                same = self._last(origin) == before
                if same:
                    self._connection.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (origin, *after))
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            return same

    def _last(self, origin: str) -> Seen | None:
        found = self._connection.execute("SELECT size, root FROM seen WHERE origin = ?", (origin,)).fetchone()
        return None if found is None else Seen(int(found[0]), bytes(found[1]))
