"""An `IndexCatalogue` of rows: an alias points at a collection's number, and goes with it when it is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roggia_schemas.names import alias_name

from roggia_embedder.adapters.pgvector.database import Database
from roggia_embedder.adapters.pgvector.schema import SCHEMA
from roggia_embedder.errors import UnknownCollectionError
from roggia_embedder.ports import IndexBinding

_SELECT = f"""SELECT alias, name AS collection, generation, model, dimension
    FROM {SCHEMA}.aliases AS a JOIN {SCHEMA}.collections AS c ON c.number = a.collection"""
_BIND = f"""INSERT INTO {SCHEMA}.aliases (alias, collection)
    SELECT $1, number FROM {SCHEMA}.collections WHERE name = $2
    ON CONFLICT (alias) DO UPDATE SET collection = excluded.collection RETURNING alias"""
_UNBIND = f"DELETE FROM {SCHEMA}.aliases WHERE alias = $1"


class PgvectorCatalogue:
    """Aliases of one database. Every call reads the tables: a switch by another process is seen at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """See `IndexCatalogue`."""
        async with self._database.session() as connection:
            row = await connection.fetchrow(f"{_SELECT} WHERE alias = $1", alias_name(tenant_id, domain))
        return None if row is None else _binding(row)

    async def bind(self, binding: IndexBinding) -> None:
        """See `IndexCatalogue`."""
        await self.switch([binding])

    async def switch(self, bindings: Sequence[IndexBinding]) -> None:
        """See `IndexCatalogue`: one transaction, aliases in the order of their names, so that two switches at once
        take turns instead of locking each other out."""
        async with self._database.transaction() as connection:
            for binding in sorted(bindings, key=lambda one: one.alias):
                if await connection.fetchval(_BIND, binding.alias, binding.collection) is None:
                    raise UnknownCollectionError(f"collection {binding.collection} does not exist")

    async def unbind(self, alias: str) -> None:
        """See `IndexCatalogue`."""
        async with self._database.session() as connection:
            await connection.execute(_UNBIND, alias)

    async def bindings(self) -> Sequence[IndexBinding]:
        """See `IndexCatalogue`."""
        async with self._database.session() as connection:
            rows = await connection.fetch(f'{_SELECT} ORDER BY alias COLLATE "C"')
        return [_binding(row) for row in rows]


def _binding(row: Any) -> IndexBinding:
    return IndexBinding(**row)
