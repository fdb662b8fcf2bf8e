"""Several stores as readers see them: the record of generations says which one holds what."""

from __future__ import annotations

from roggia_schemas.names import alias_name, collection_name

from roggia_embedder.generations import aliases
from roggia_embedder.generations.hosted import View
from roggia_embedder.ports import CollectionSpec, Hit, IndexBinding, SearchRequest
from roggia_embedder.stores import OWN, OpenStore, Stores


class RoutedCatalogue:
    """`Aliasing` over all stores. A knowledge base may have an alias in more than one while it moves: readers get the
    generation that serves by the record, and until an alias points there, the one that served last."""

    def __init__(self, stores: Stores, view: View) -> None:
        self._stores, self._view = stores, view

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """See `Aliasing`. Raises `UnknownStoreError` when what serves is in a store that this process does not have:
        an alias elsewhere would be of the past."""
        serving = self._view.serving(tenant_id, domain)
        home = self._stores.of(self._view.store(serving) or OWN)
        found: dict[int, IndexBinding] = {}
        for at in (home, *(other for other in self._stores if other != home)):
            binding = await at.catalogue.resolve(tenant_id, domain)
            if binding is not None and binding.generation == serving:
                return binding
            if binding is not None:
                found.setdefault(binding.generation, binding)
        chosen = self._view.answering(tenant_id, domain, found)
        if chosen is None and self._stores.several:
            return await self._unpointed(home, tenant_id, domain, serving)
        return None if chosen is None else found[chosen]

    async def _unpointed(self, home: OpenStore, tenant_id: str, domain: str, number: int) -> IndexBinding | None:
        """What serves although no alias was found: one may have moved from store to store between two looks."""
        spec = await home.store.spec(collection_name(tenant_id, domain, number), fresh=True)
        return None if spec is None else aliases.bound(alias_name(tenant_id, domain), spec)


class RoutedStore:
    """`Searching` over all stores: a collection is in the store of the generation that its name tells. One that the
    record does not know (yet) is looked for."""

    def __init__(self, stores: Stores, view: View) -> None:
        self._stores, self._view = stores, view

    async def spec(self, name: str, *, fresh: bool = False) -> CollectionSpec | None:
        """See `VectorStore`."""
        at = await self._at(name)
        return await at.store.spec(name, fresh=fresh)

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """See `VectorStore`."""
        at = await self._at(collection)
        return await at.store.search(collection, request)

    async def _at(self, collection: str) -> OpenStore:
        number = aliases.generation_of(collection)
        told = None if number is None else self._view.store(number)
        if told is not None:
            return self._stores.of(told)
        if self._stores.several:
            for at in self._stores:
                if await at.store.spec(collection) is not None:
                    return at
        return self._stores.of(OWN)
