"""The catalogue in PostgreSQL, for any number of instances."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import asyncpg
from roggia_runtime.adapters.postgres import AWAY
from roggia_runtime.records import Partition

from roggia_ingest.adapters.rows import COLUMNS, SCHEMA_VERSION, domains_of, from_row, to_row
from roggia_ingest.catalogue import DocKey, Entry
from roggia_ingest.errors import CatalogueError, CatalogueUnavailableError, FullError
from roggia_ingest.ownership import lost
from roggia_ingest.ports import Owned

T = TypeVar("T")
_TABLE = "roggia_ingest_documents"
_VERSIONS = "roggia_ingest_schema"
_OWNERS = "roggia_ingest_owners"
_CREATE = f"""
CREATE TABLE IF NOT EXISTS {_VERSIONS} (version integer PRIMARY KEY);
CREATE TABLE IF NOT EXISTS {_TABLE} (
    tenant_id text NOT NULL, doc_id text NOT NULL,
    revision bigint NOT NULL, epoch integer NOT NULL, deleted integer NOT NULL,
    domain text NOT NULL, expires_at bigint,
    topic text NOT NULL, partition integer NOT NULL, "offset" bigint NOT NULL,
    current text NOT NULL, older text NOT NULL,
    PRIMARY KEY (tenant_id, doc_id));
CREATE TABLE IF NOT EXISTS {_OWNERS} (
    topic text NOT NULL, partition integer NOT NULL, producer_id bigint NOT NULL, epoch integer NOT NULL,
    PRIMARY KEY (topic, partition));
CREATE INDEX IF NOT EXISTS {_TABLE}_expiry ON {_TABLE} (topic, partition, expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS {_TABLE}_living ON {_TABLE} (tenant_id) WHERE deleted = 0;
"""
_KEY_COLUMNS = 2
_SAVE = f"""INSERT INTO {_TABLE} ({", ".join(COLUMNS)})
    VALUES ({", ".join(f"${number}" for number in range(1, len(COLUMNS) + 1))})
    ON CONFLICT (tenant_id, doc_id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[_KEY_COLUMNS:])}"""  # noqa: S608  # constants
_OWN = f"""INSERT INTO {_OWNERS} AS kept (topic, partition, producer_id, epoch) VALUES ($1, $2, $3, $4)
    ON CONFLICT (topic, partition) DO UPDATE SET producer_id = excluded.producer_id, epoch = excluded.epoch
    WHERE (kept.producer_id, kept.epoch) <= (excluded.producer_id, excluded.epoch) RETURNING topic"""  # noqa: S608
"""Locks the partition's row until the transaction ends: two owners take turns."""
_FORGET = f"DELETE FROM {_TABLE} WHERE tenant_id = $1"  # noqa: S608
_DOMAINS = f"SELECT DISTINCT domain, current::json ->> 'left_domains' FROM {_TABLE} WHERE tenant_id = $1"  # noqa: S608
_LIVING = f"SELECT count(*) FROM {_TABLE} WHERE tenant_id = $1 AND deleted = 0"  # noqa: S608
_TURNS = 0x526F6767
_TURN = f"SELECT pg_advisory_xact_lock({_TURNS}, hashtext($1))"
"""Until the transaction ends, nobody else who is under the tenant's limit counts: what it counts is what will be there.
"""
_REMOVE = f"DELETE FROM {_TABLE} WHERE tenant_id = $1 AND doc_id = $2"  # noqa: S608
_LOAD = f"""SELECT tenant_id, doc_id, current, older FROM {_TABLE}
    JOIN unnest($1::text[], $2::text[]) AS wanted (tenant_id, doc_id) USING (tenant_id, doc_id)"""  # noqa: S608
_DUE = f"""SELECT tenant_id, doc_id, current, older FROM {_TABLE}
    WHERE topic = $1 AND partition = $2 AND expires_at <= $3 AND deleted = 0
    ORDER BY expires_at, tenant_id, doc_id LIMIT $4"""  # noqa: S608
_LOCK = 0x526F676769610001
"""Advisory lock of whoever creates the tables: two instances may start at once."""


class PostgresCatalogue:
    """A small pool; rows of one document are only ever written by the instance that holds its partition."""

    def __init__(self, dsn: str, *, timeout_s: float = 10.0) -> None:
        self._dsn = dsn
        self._timeout_s = timeout_s
        self._pool: Any = None

    async def start(self) -> None:
        """Connect and create what is missing. Raises `CatalogueError` for tables of a newer version."""
        await self._away(self._open)

    async def stop(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def load(self, keys: Sequence[DocKey]) -> Mapping[DocKey, Entry]:
        """See `roggia_ingest.ports.Catalogue`."""
        if not keys:
            return {}
        tenants, documents = zip(*keys, strict=True)
        return await self._rows(_LOAD, list(tenants), list(documents))

    async def save(
        self,
        entries: Mapping[DocKey, Entry],
        owned: Owned | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """See `roggia_ingest.ports.Catalogue`."""
        if entries or owned:
            removed = [key for key, entry in entries.items() if entry.current is None]
            kept = [row for row in map(to_row, entries.items()) if row is not None]
            await self._away(lambda: self._write(removed, kept, owned or {}, limits or {}))

    async def living(self, tenant_id: str) -> int:
        """See `roggia_ingest.ports.Catalogue`."""

        async def count() -> int:
            return int(await self._connected().fetchval(_LIVING, tenant_id))

        return await self._away(count)

    async def domains(self, tenant_id: str) -> set[str]:
        """See `roggia_ingest.ports.Catalogue`."""

        async def fetch() -> Iterable[Any]:
            found: Iterable[Any] = await self._connected().fetch(_DOMAINS, tenant_id)
            return found

        return domains_of(tuple(row) for row in await self._away(fetch))

    async def forget(self, tenant_id: str) -> int:
        """See `roggia_ingest.ports.Catalogue`."""

        async def remove() -> str:
            return str(await self._connected().execute(_FORGET, tenant_id))

        return int((await self._away(remove)).rpartition(" ")[2])

    async def due(self, source: Partition, before_ms: int, limit: int) -> Mapping[DocKey, Entry]:
        """See `roggia_ingest.ports.Catalogue`."""
        return await self._rows(_DUE, source.topic, source.number, before_ms, limit)

    async def _open(self) -> None:
        if self._pool is None:
            self._pool = await self._connect()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute(_CREATE)
            version = await connection.fetchval(f"SELECT max(version) FROM {_VERSIONS}")  # noqa: S608
            if version is not None and version > SCHEMA_VERSION:
                raise CatalogueError(f"catalogue tables have version {version}, newer than {SCHEMA_VERSION}: upgrade")
            await connection.execute(
                f"INSERT INTO {_VERSIONS} VALUES ($1) ON CONFLICT DO NOTHING",  # noqa: S608
                SCHEMA_VERSION,
            )

    async def _connect(self) -> Any:
        try:
            return await asyncpg.create_pool(
                self._dsn, min_size=1, max_size=4, timeout=self._timeout_s, command_timeout=self._timeout_s
            )
        except (ValueError, asyncpg.ClientConfigurationError):  # whose words may hold a piece of the password
            raise CatalogueError(
                "catalogue (PostgreSQL): the DSN cannot be read; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
                "and percent-encode what is reserved in URLs (@ : / ? #)"
            ) from None

    async def _rows(self, query: str, *values: object) -> Mapping[DocKey, Entry]:
        async def fetch() -> Iterable[Any]:
            found: Iterable[Any] = await self._connected().fetch(query, *values)
            return found

        return dict(from_row(tuple(row)) for row in await self._away(fetch))

    async def _write(
        self,
        removed: Sequence[DocKey],
        kept: Sequence[tuple[object, ...]],
        owned: Owned,
        limits: Mapping[str, int],
    ) -> None:
        async with self._connected().acquire() as connection, connection.transaction():
            for partition in sorted(owned):
                if await connection.fetchval(_OWN, *partition, *owned[partition]) is None:
                    raise lost(partition, owned[partition])
            await connection.executemany(_REMOVE, removed)
            await connection.executemany(_SAVE, kept)
            if full := [one for one in sorted(limits) if await _living(connection, one) > limits[one]]:
                raise FullError(full)

    def _connected(self) -> Any:
        if self._pool is None:
            raise CatalogueUnavailableError("catalogue is not connected")
        return self._pool

    async def _away(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except AWAY as error:
            raise CatalogueUnavailableError(f"catalogue (PostgreSQL): {type(error).__name__}: {error}") from error
        except asyncpg.PostgresError as error:
            raise CatalogueError(f"catalogue (PostgreSQL) refuses: {type(error).__name__}: {error}") from error


async def _living(connection: Any, tenant_id: str) -> int:
    await connection.execute(_TURN, tenant_id)
    return int(await connection.fetchval(_LIVING, tenant_id))
