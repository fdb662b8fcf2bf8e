"""The vector cache in one SQLite file. Several embed processes of one machine may share it (WAL)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from roggia_schemas.names import Version

from roggia_embedder.errors import CacheUnavailableError
from roggia_embedder.ports import Bill, CacheUse, Matrix

T = TypeVar("T")
_BUSY_S = 30.0
_AT_ONCE = 500
_CREATE = """
CREATE TABLE IF NOT EXISTS scopes (
    scope INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, model TEXT NOT NULL, UNIQUE (tenant_id, model)) STRICT;
CREATE TABLE IF NOT EXISTS vectors (
    scope INTEGER NOT NULL REFERENCES scopes, hash BLOB NOT NULL, vector BLOB NOT NULL,
    PRIMARY KEY (scope, hash)) STRICT;
CREATE TABLE IF NOT EXISTS uses (
    scope INTEGER NOT NULL REFERENCES scopes, doc_id TEXT NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (scope, doc_id, hash)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uses_by_hash ON uses (scope, hash);
CREATE TABLE IF NOT EXISTS documents (
    scope INTEGER NOT NULL REFERENCES scopes, doc_id TEXT NOT NULL,
    revision INTEGER NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (scope, doc_id)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bills (event_id TEXT PRIMARY KEY, bill BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
"""`documents` came later: in an older file a document has no version until its next use."""
_ORPHANS = """DELETE FROM vectors WHERE scope = ? AND hash = ?
    AND NOT EXISTS (SELECT 1 FROM uses WHERE uses.scope = vectors.scope AND uses.hash = vectors.hash)"""
_NOTE = """INSERT INTO documents (scope, doc_id, revision, epoch) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET revision = excluded.revision, epoch = excluded.epoch"""


class SqliteVectorCache:
    """One connection, used by one thread at a time, off the event loop. A lost file costs embeddings, nothing else.

    Raises `CacheUnavailableError` while another process holds the file for longer than 30 s.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Open the file and create what is missing. Raises `CacheUnavailableError` for a full disk or a locked file."""
        await asyncio.to_thread(self._open)

    async def close(self) -> None:
        """See `VectorCache`. Safe to call twice."""
        async with self._lock:
            if self._connection is not None:
                await asyncio.to_thread(self._connection.close)
                self._connection = None

    async def get(self, tenant_id: str, model: str, text_hashes: Sequence[str]) -> dict[str, Matrix]:
        """See `VectorCache`."""
        return await self._run(lambda db: _get(db, tenant_id, model, text_hashes)) if text_hashes else {}

    async def versions(self, tenant_id: str, model: str, doc_ids: Sequence[str]) -> dict[str, Version]:
        """See `VectorCache`."""
        return await self._run(lambda db: _versions(db, _scope(db, tenant_id, model), doc_ids)) if doc_ids else {}

    async def put(
        self,
        tenant_id: str,
        model: str,
        vectors: Mapping[str, Matrix],
        uses: Sequence[CacheUse],
        bills: Sequence[Bill] = (),
    ) -> None:
        """See `VectorCache`. Of several uses of one document the newest counts, of equal ones the last."""
        if uses or bills:
            await self._run(lambda db: _put(db, (tenant_id, model), vectors, uses, bills))

    async def bills(self, limit: int) -> Sequence[Bill]:
        """See `BillBox`. Ids are in the order of time."""
        query = "SELECT bill FROM bills ORDER BY event_id LIMIT ?"
        rows = await self._run(lambda db: db.execute(query, (limit,)).fetchall())
        return [msgspec.json.decode(bill, type=Bill) for (bill,) in rows]

    async def settle(self, event_ids: Sequence[str]) -> None:
        """See `BillBox`."""
        await self._run(lambda db: _settle(db, event_ids))

    async def forget(self, tenant_id: str) -> int:
        """See `VectorCache`."""
        return await self._run(lambda db: _forget(db, "tenant_id", tenant_id))

    async def forget_model(self, model: str) -> int:
        """See `VectorCache`."""
        return await self._run(lambda db: _forget(db, "model", model))

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(_CREATE)
        except (OSError, sqlite3.OperationalError) as error:
            raise CacheUnavailableError(f"vector cache {self._path}: {error}") from error
        self._connection = db

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        async with self._lock:
            if self._connection is None:
                raise CacheUnavailableError(f"vector cache {self._path.name} is not open")
            call = asyncio.ensure_future(asyncio.to_thread(work, self._connection))
            try:
                return await asyncio.shield(call)
            except asyncio.CancelledError:
                await asyncio.wait({call})  # the thread goes on, and the connection is for one at a time
                raise
            except sqlite3.OperationalError as error:
                raise CacheUnavailableError(f"vector cache {self._path.name}: {error}") from error


def _get(db: sqlite3.Connection, tenant_id: str, model: str, hashes: Sequence[str]) -> dict[str, Matrix]:
    scope = _scope(db, tenant_id, model)
    found: dict[str, Matrix] = {}
    keys = [bytes.fromhex(text_hash) for text_hash in hashes]
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        marks = ",".join("?" * len(some))
        rows = db.execute(f"SELECT hash, vector FROM vectors WHERE scope = ? AND hash IN ({marks})", (scope, *some))  # noqa: S608  # only marks
        found.update((key.hex(), np.frombuffer(vector, "<f4")) for key, vector in rows)
    return found


def _put(
    db: sqlite3.Connection,
    whose: tuple[str, str],
    vectors: Mapping[str, Matrix],
    uses: Sequence[CacheUse],
    bills: Sequence[Bill],
) -> None:
    newest = {use.doc_id: use for use in sorted(uses, key=lambda use: use.version)}
    with db:
        db.execute("BEGIN IMMEDIATE")
        kept = ((bill.event_id, msgspec.json.encode(bill)) for bill in bills)
        db.executemany("INSERT OR IGNORE INTO bills VALUES (?, ?)", kept)
        if not newest:  # whoever has gone gets no scope again
            return
        scope = _scope(db, *whose)
        noted = _versions(db, scope, list(newest))
        current = [use for use in newest.values() if use.version >= noted.get(use.doc_id, use.version)]
        last = {use.doc_id: {bytes.fromhex(text_hash) for text_hash in use.text_hashes} for use in current}
        used = set[bytes]().union(*last.values())
        _insert(db, scope, {key: vector for name, vector in vectors.items() if (key := bytes.fromhex(name)) in used})
        gone = set[bytes]().union(*(_use(db, scope, doc_id, hashes) for doc_id, hashes in last.items()))
        db.executemany(_NOTE, ((scope, use.doc_id, *use.version) for use in current))
        db.executemany(_ORPHANS, ((scope, key) for key in gone))


def _settle(db: sqlite3.Connection, event_ids: Sequence[str]) -> None:
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.executemany("DELETE FROM bills WHERE event_id = ?", ((event_id,) for event_id in event_ids))


def _forget(db: sqlite3.Connection, column: str, value: str) -> int:
    found = db.execute(f"SELECT scope FROM scopes WHERE {column} = ?", (value,))  # noqa: S608  # a constant
    scopes = [row[0] for row in found.fetchall()]
    if not scopes:  # looked first: a transaction that writes nothing takes the lock all the same
        return 0
    removed = 0
    with db:
        db.execute("BEGIN IMMEDIATE")
        for table in ("uses", "documents", "vectors", "scopes"):
            statement = f"DELETE FROM {table} WHERE scope = ?"  # noqa: S608  # constants
            removed += sum(db.execute(statement, (scope,)).rowcount for scope in scopes)
    return removed


def _versions(db: sqlite3.Connection, scope: int, doc_ids: Sequence[str]) -> dict[str, Version]:
    found: dict[str, Version] = {}
    for start in range(0, len(doc_ids), _AT_ONCE):
        some = doc_ids[start : start + _AT_ONCE]
        marks = ",".join("?" * len(some))
        rows = db.execute(
            f"SELECT doc_id, revision, epoch FROM documents WHERE scope = ? AND doc_id IN ({marks})",  # noqa: S608  # only marks
            (scope, *some),
        )
        found.update((doc_id, Version(revision, epoch)) for doc_id, revision, epoch in rows)
    return found


def _scope(db: sqlite3.Connection, tenant_id: str, model: str) -> int:
    # Looked up first: an insert takes the write lock even where it is ignored, and reads must not wait for writers.
    select = ("SELECT scope FROM scopes WHERE tenant_id = ? AND model = ?", (tenant_id, model))
    row = db.execute(*select).fetchone()
    if row is None:
        db.execute("INSERT OR IGNORE INTO scopes (tenant_id, model) VALUES (?, ?)", (tenant_id, model))
        row = db.execute(*select).fetchone()
    return int(row[0])


def _insert(db: sqlite3.Connection, scope: int, vectors: Mapping[bytes, Matrix]) -> None:
    rows: Iterable[tuple[int, bytes, bytes]] = (
        (scope, key, np.ascontiguousarray(vector, "<f4").tobytes()) for key, vector in vectors.items()
    )
    db.executemany("INSERT OR REPLACE INTO vectors (scope, hash, vector) VALUES (?, ?, ?)", rows)


def _use(db: sqlite3.Connection, scope: int, doc_id: str, hashes: set[bytes]) -> set[bytes]:
    """Set what a document uses; return what it uses no more."""
    rows = db.execute("SELECT hash FROM uses WHERE scope = ? AND doc_id = ?", (scope, doc_id))
    before = {bytes(row[0]) for row in rows}
    gone, new = before - hashes, hashes - before
    db.executemany(
        "DELETE FROM uses WHERE scope = ? AND doc_id = ? AND hash = ?", ((scope, doc_id, key) for key in gone)
    )
    db.executemany("INSERT INTO uses (scope, doc_id, hash) VALUES (?, ?, ?)", ((scope, doc_id, key) for key in new))
    return gone
