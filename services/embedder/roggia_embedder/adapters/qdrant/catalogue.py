"""An `IndexCatalogue` of Qdrant aliases; model, dimension and generation are the physical collection's metadata."""

from __future__ import annotations

from collections.abc import Sequence

from qdrant_client import models as m
from roggia_schemas.names import alias_name

from roggia_embedder.adapters.qdrant.store import QdrantStore, translated
from roggia_embedder.ports import IndexBinding


class QdrantCatalogue:
    """Resolves alias → physical name on every call; what the physical name means is the store's to say."""

    def __init__(self, store: QdrantStore) -> None:
        self._store = store
        self._client = store.client

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """See `IndexCatalogue`."""
        alias = alias_name(tenant_id, domain)
        collection = (await self._aliases()).get(alias)
        return None if collection is None else await self._binding(alias, collection)

    async def bind(self, binding: IndexBinding) -> None:
        """See `IndexCatalogue`."""
        await self.switch([binding])

    async def switch(self, bindings: Sequence[IndexBinding]) -> None:
        """See `IndexCatalogue`: one request, which the server carries out as a whole or not at all."""
        held = await self._aliases()
        moves = [
            m.CreateAliasOperation(create_alias=m.CreateAlias(collection_name=b.collection, alias_name=b.alias))
            for b in bindings
            if held.get(b.alias) != b.collection
        ]
        if moves:
            with translated(", ".join(sorted({b.collection for b in bindings}))):
                await self._client.update_collection_aliases(moves)

    async def unbind(self, alias: str) -> None:
        """See `IndexCatalogue`."""
        if alias not in await self._aliases():
            return
        remove = m.DeleteAliasOperation(delete_alias=m.DeleteAlias(alias_name=alias))
        with translated(alias):
            await self._client.update_collection_aliases([remove])

    async def bindings(self) -> Sequence[IndexBinding]:
        """See `IndexCatalogue`."""
        found = [
            await self._binding(alias, collection) for alias, collection in sorted((await self._aliases()).items())
        ]
        return [binding for binding in found if binding is not None]

    async def _aliases(self) -> dict[str, str]:
        with translated("*"):
            aliases = (await self._client.get_aliases()).aliases
        return {found.alias_name: found.collection_name for found in aliases}

    async def _binding(self, alias: str, collection: str) -> IndexBinding | None:
        spec = await self._store.spec(collection)
        if spec is None:
            return None
        return IndexBinding(alias, collection, spec.generation, spec.model, spec.dimension)
