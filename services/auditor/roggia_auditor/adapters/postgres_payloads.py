"""Keys of subjects and encrypted payloads in PostgreSQL, each by a DSN of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
from roggia_runtime.adapters.postgres import AWAY

from roggia_auditor.errors import LedgerError, LedgerUnavailableError
from roggia_auditor.payloads.ports import Extent, SubjectKey

T = TypeVar("T")
_KEYS, _PAYLOADS = "roggia_auditor_subject_keys", "roggia_auditor_payloads"


class _Pool:
    """A small pool, and a table that is created."""

    def __init__(self, dsn: str, create: str) -> None:
        self._dsn, self._create = dsn, create
        self._pool: Any = None

    async def start(self) -> None:
        """Connect and create what is missing."""
        await self._away(self._open)

    async def stop(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """One or more statements on one connection. Raises `LedgerUnavailableError`, or `LedgerError` for a refusal."""

        async def on_one() -> T:
            if self._pool is None:
                raise LedgerUnavailableError("payloads (PostgreSQL) are not connected")
            async with self._pool.acquire() as one:
                return await work(one)

        return await self._away(on_one)

    async def _open(self) -> None:
        try:
            self._pool = self._pool or await asyncpg.create_pool(self._dsn, min_size=1, max_size=4, timeout=10)
        except (ValueError, asyncpg.ClientConfigurationError):  # whose words may hold a piece of the password
            raise LedgerError("payloads (PostgreSQL): the DSN cannot be read; see roggia_auditor's settings") from None
        async with self._pool.acquire() as one, one.transaction():
            await one.execute("SELECT pg_advisory_xact_lock(hashtext($1))", self._create)
            await one.execute(self._create)

    async def _away(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except AWAY as error:
            raise LedgerUnavailableError(f"payloads (PostgreSQL): {type(error).__name__}: {error}") from error
        except asyncpg.PostgresError as error:
            raise LedgerError(f"payloads (PostgreSQL) refuses: {type(error).__name__}: {error}") from error


class PostgresKeys:
    """See `roggia_auditor.payloads.ports.KeyStore`."""

    def __init__(self, dsn: str) -> None:
        self._held = _Pool(
            dsn,
            f"CREATE TABLE IF NOT EXISTS {_KEYS} (tenant text NOT NULL, subject text NOT NULL, "
            "key_id text NOT NULL UNIQUE, wrapped bytea NOT NULL, PRIMARY KEY (tenant, subject))",
        )
        self.start, self.stop = self._held.start, self._held.stop

    async def get(self, tenant: str, subject: str) -> SubjectKey | None:
        """See `roggia_auditor.payloads.ports.KeyStore`."""
        query = f"SELECT key_id, wrapped FROM {_KEYS} WHERE tenant = $1 AND subject = $2"
        found = await self._held.run(lambda one: one.fetchrow(query, tenant, subject))
        return None if found is None else SubjectKey(found[0], bytes(found[1]))

    async def add(self, tenant: str, subject: str, key: SubjectKey) -> SubjectKey:
        """See `roggia_auditor.payloads.ports.KeyStore`."""
        query = f"INSERT INTO {_KEYS} VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
        await self._held.run(lambda one: one.execute(query, tenant, subject, *key))
        return await self.get(tenant, subject) or key

    async def destroy(self, key_id: str) -> bool:
        """See `roggia_auditor.payloads.ports.KeyStore`."""
        done = await self._held.run(lambda one: one.execute(f"DELETE FROM {_KEYS} WHERE key_id = $1", key_id))
        there = bool(str(done) != "DELETE 0")
        if there:
            await self._held.run(lambda one: one.execute(f"VACUUM {_KEYS}"))
        return there


class PostgresCiphertexts:
    """See `roggia_auditor.payloads.ports.CiphertextStore`."""

    def __init__(self, dsn: str) -> None:
        self._held = _Pool(
            dsn,
            f"CREATE TABLE IF NOT EXISTS {_PAYLOADS} (key_id text NOT NULL, event_id text NOT NULL, "
            "kind text NOT NULL, body bytea NOT NULL, at bigint NOT NULL, PRIMARY KEY (key_id, event_id, kind))",
        )
        self.start, self.stop = self._held.start, self._held.stop

    async def put(self, key_id: str, event_id: str, kind: str, body: bytes, at: int) -> None:
        """See `roggia_auditor.payloads.ports.CiphertextStore`."""
        query = (
            f"INSERT INTO {_PAYLOADS} VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (key_id, event_id, kind) DO UPDATE SET body = excluded.body, at = excluded.at"
        )
        await self._held.run(lambda one: one.execute(query, key_id, event_id, kind, body, at))

    async def get(self, key_id: str, event_id: str, kind: str) -> bytes | None:
        """See `roggia_auditor.payloads.ports.CiphertextStore`."""
        query = f"SELECT body FROM {_PAYLOADS} WHERE key_id = $1 AND event_id = $2 AND kind = $3"
        found = await self._held.run(lambda one: one.fetchval(query, key_id, event_id, kind))
        return None if found is None else bytes(found)

    async def extent(self, key_id: str) -> Extent:
        """See `roggia_auditor.payloads.ports.CiphertextStore`."""
        query = f"SELECT count(*), coalesce(min(at), 0), coalesce(max(at), 0) FROM {_PAYLOADS} WHERE key_id = $1"
        return Extent(*await self._held.run(lambda one: one.fetchrow(query, key_id)))

    async def delete(self, key_id: str) -> int:
        """See `roggia_auditor.payloads.ports.CiphertextStore`."""
        done = await self._held.run(lambda one: one.execute(f"DELETE FROM {_PAYLOADS} WHERE key_id = $1", key_id))
        return int(done.split()[-1])
