"""Removes the collections of a tenant that is gone."""

from __future__ import annotations

import structlog
from roggia_schemas.names import alias_name

from roggia_embedder.ports import Head, IndexCatalogue, VectorStore

log = structlog.get_logger()


def of_tenant(collection: str, tenant_id: str) -> bool:
    """Whether a collection or alias is a tenant's: no name holds `_`, so a prefix means one tenant."""
    return collection.startswith(alias_name(tenant_id, "x").removesuffix("x"))


class Departures:
    """Drops collections with nothing but deletions in them; one that holds a living point stays, and is logged."""

    def __init__(self, store: VectorStore, catalogue: IndexCatalogue) -> None:
        self._store, self._catalogue = store, catalogue

    async def remove(self, tenant_id: str) -> int:
        """Drop what can be dropped of a tenant; return how many collections. Raises `StoreUnavailableError`."""
        names = [spec.name for spec in await self._store.collections() if of_tenant(spec.name, tenant_id)]
        empty = [name for name in names if not await self._living(name)]
        for binding in await self._catalogue.bindings():
            if of_tenant(binding.alias, tenant_id) and (binding.collection in empty or binding.collection not in names):
                await self._catalogue.unbind(binding.alias)
        for name in empty:
            await self._store.drop_collection(name)
        return len(empty)

    async def _living(self, name: str) -> bool:
        async for point in self._store.scan(name):
            if not (isinstance(point, Head) and point.deleted):
                log.error("collection_kept", collection=name, why="it holds a living point; run roggia verify")
                return True
        return False
