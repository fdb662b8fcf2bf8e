"""`GET /v1/collections`: what the index consists of, for operators. No document, no text."""

from __future__ import annotations

from collections.abc import Callable

from roggia_embedder.ports import IndexCatalogue, VectorStore
from roggia_embedder.query import api

State = Callable[[int], str]
"""State of a generation by its number; empty where there is no record of it."""


async def collections(
    store: VectorStore, catalogue: IndexCatalogue, state: State = lambda _: ""
) -> api.CollectionsResponse:
    """Every physical collection with the alias that points to it and its number of points (heads among them)."""
    aliases = {binding.collection: binding.alias for binding in await catalogue.bindings()}
    found = [
        api.Collection(
            name=spec.name,
            alias=aliases.get(spec.name, ""),
            generation=spec.generation,
            model=spec.model,
            dimension=spec.dimension,
            points=await store.point_count(spec.name),
            serves=spec.name in aliases,
            state=state(spec.generation),
        )
        for spec in await store.collections()
    ]
    return api.CollectionsResponse(collections=tuple(found))
