"""The pool of connections, opened at the first use; migrations; which number a collection has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from roggia_runtime.adapters.postgres import AWAY

from roggia_embedder.adapters.pgvector.schema import MIGRATIONS, SCHEMA
from roggia_embedder.errors import StoreUnavailableError, StoreUnusableError, UnknownCollectionError
from roggia_embedder.ports import CollectionSpec

_LOCK = 0x526F676769610002
"""Advisory lock of whoever changes tables: several instances may start, and create a collection, at once."""
_OLDEST = (0, 5)
"""The first pgvector with HNSW."""
_TIMEOUT_S = 30.0
_FOUNDATION = f"""
    CREATE EXTENSION IF NOT EXISTS vector;
    CREATE SCHEMA IF NOT EXISTS {SCHEMA};
    CREATE TABLE {SCHEMA}.migrations (version integer PRIMARY KEY);
    """
_COUNTED = 50_000
"""Points up to which a collection is counted; above, the planner's estimate will do."""


@dataclass(frozen=True, slots=True)
class Held:
    """A collection as the database knows it: its number never changes and is never given again."""

    number: int
    spec: CollectionSpec

    def table(self, kind: str) -> str:
        """Name of one of its tables."""
        return f"{SCHEMA}.{kind}_{self.number}"


class Database:
    """One PostgreSQL database, shared by a store and its catalogue."""

    def __init__(self, url: str, password: str | None = None, connections: int = 8) -> None:
        self._url, self._password, self._connections = url, password, connections
        self._opening = asyncio.Lock()
        self._pool: Any = None
        self._held: dict[str, Held] = {}
        self.version: tuple[int, ...] = (0,)
        """pgvector's, once connected."""

    async def close(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        """A connection, each statement by itself. What asyncpg raises leaves as the port's errors."""
        try:
            async with (await self._opened()).acquire() as connection:
                yield connection
        except AWAY as error:
            if isinstance(error, ValueError):  # asyncpg's word for a value that no column can hold: a bug of ours
                raise
            raise StoreUnavailableError(f"vector store (PostgreSQL): {type(error).__name__}: {error}") from error

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[Any]:
        """A connection in a transaction: all that is done in it, or nothing."""
        async with self.session() as connection, connection.transaction(readonly=read_only):
            yield connection

    @asynccontextmanager
    async def changing_tables(self) -> AsyncIterator[Any]:
        """A transaction that is the only one of its kind in the database."""
        async with self.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            yield connection

    async def collection(self, name: str) -> Held:
        """Raises `UnknownCollectionError`."""
        held = self._held.get(name)
        if held is None:
            held = self._held[name] = await self._find(name)
        return held

    @asynccontextmanager
    async def at(self, name: str, *, transaction: bool = False) -> AsyncIterator[tuple[Any, Held]]:
        """A connection and a collection. One that another process has dropped meanwhile is unknown from then on."""
        held = await self.collection(name)
        try:
            async with self.transaction() if transaction else self.session() as connection:
                yield connection, held
        except asyncpg.UndefinedTableError:
            self.forget(name)
            raise UnknownCollectionError(f"collection {name} does not exist") from None

    def forget(self, name: str) -> None:
        """Look up the collection again next time."""
        self._held.pop(name, None)

    async def _find(self, name: str) -> Held:
        async with self.session() as connection:
            row = await connection.fetchrow(f"{SELECT} WHERE name = $1", name)
        if row is None:
            raise UnknownCollectionError(f"collection {name} does not exist")
        return held_from(row)

    async def _opened(self) -> Any:
        async with self._opening:
            if self._pool is None:
                pool = await self._connect()
                try:
                    async with pool.acquire() as connection, connection.transaction():
                        await self._prepare(connection)
                except BaseException:
                    pool.terminate()
                    raise
                self._pool = pool
        return self._pool

    async def _connect(self) -> Any:
        try:
            return await asyncpg.create_pool(
                self._url,
                password=self._password,
                min_size=1,
                max_size=self._connections,
                timeout=_TIMEOUT_S,
                command_timeout=_TIMEOUT_S,
                # An acknowledged write must survive a kill -9 of the server, whatever its administrator made default.
                server_settings={"synchronous_commit": "on", "application_name": "roggia"},
            )
        except (ValueError, asyncpg.ClientConfigurationError):  # whose words may hold a piece of the password
            raise StoreUnusableError(
                "store: the URL cannot be read; write postgresql://USER@HOST:PORT/DATABASE, percent-encode what is "
                "reserved in URLs (@ : / ? #), and give the password as store_key"
            ) from None
        except AWAY:
            raise
        except asyncpg.PostgresError as error:
            raise StoreUnusableError(f"store: PostgreSQL refuses the connection: {error}") from error

    async def _prepare(self, connection: Any) -> None:
        """Extension and shared tables, by whoever comes first. Who comes later needs no right to create anything."""
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        try:
            if await connection.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.migrations") is None:
                await connection.execute(_FOUNDATION)
        except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError, asyncpg.InsufficientPrivilegeError) as no:
            raise StoreUnusableError(
                f"store: PostgreSQL has no extension vector, or the account may not create it and the schema {SCHEMA}: "
                f"{str(no).splitlines()[0]}; install pgvector 0.5 or newer, then CREATE EXTENSION vector"
            ) from no
        version = await connection.fetchval("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        self.version = tuple(int(part) for part in version.split("."))
        if self.version < _OLDEST:
            raise StoreUnusableError(f"store: pgvector {version} has no HNSW; upgrade it to 0.5 or newer")
        await _migrate(connection)


SELECT = f"SELECT number, name, generation, model, dimension FROM {SCHEMA}.collections"


def held_from(row: Any) -> Held:
    """A row of `SELECT`."""
    return Held(row["number"], CollectionSpec(row["name"], row["generation"], row["model"], row["dimension"]))


async def size(connection: Any, at: Held) -> int:
    """About how many passages a collection has; exactly, when it has few."""
    points = at.table("points")
    estimate = await connection.fetchval("SELECT reltuples FROM pg_class WHERE oid = $1::regclass", points)
    if estimate > _COUNTED:
        return int(estimate)
    return int(await connection.fetchval(f"SELECT count(*) FROM {points}"))


async def _migrate(connection: Any) -> None:
    done = await connection.fetchval(f"SELECT coalesce(max(version), 0) FROM {SCHEMA}.migrations")
    if done > len(MIGRATIONS):
        raise StoreUnusableError(
            f"store: the schema {SCHEMA} has version {done}, newer than {len(MIGRATIONS)}, which this program "
            "knows; upgrade Roggia"
        )
    for number, step in enumerate(MIGRATIONS[done:], start=done + 1):
        await connection.execute(step)
        await connection.execute(f"INSERT INTO {SCHEMA}.migrations VALUES ($1)", number)
