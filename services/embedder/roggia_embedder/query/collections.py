"""`GET /v1/collections`: what the index consists of, for operators. No document, no text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import TypeAlias

from roggia_schemas.names import alias_name

from roggia_embedder.errors import UnknownCollectionError
from roggia_embedder.generations.aliases import KnowledgeBase, knowledge_base
from roggia_embedder.generations.hosted import View
from roggia_embedder.generations.looking import Seen, looked
from roggia_embedder.ports import CollectionSpec
from roggia_embedder.query import api
from roggia_embedder.stores import Stores

LOOK_S = 2.0
"""Seconds after which a store counts as away: less than those who ask wait for the whole."""
_Pointed: TypeAlias = Mapping[KnowledgeBase, Collection[int]]
"""The generations that a knowledge base's aliases point at, one alias in each store."""


async def collections(stores: Stores, view: View) -> api.CollectionsResponse:
    """Every physical collection with the alias by which readers come to it and its number of points (heads among them).

    Of several stores those that do not answer are named, and what they hold is left out. Raises
    `StoreUnavailableError` when none answers.
    """
    seen, trouble = await looked(stores, LOOK_S)
    if not seen and trouble is not None:
        raise trouble
    pointed = _pointed(seen)
    rows = [row async for row in _rows(stores, seen, view, pointed)]
    away = {stores.name(at) for at in stores} - {stores.name(one.at) for one in seen}
    return api.CollectionsResponse(
        collections=tuple(sorted(rows, key=lambda row: (row.name, row.store))),
        stores=stores.names,
        away=tuple(sorted(away)),
    )


async def _rows(stores: Stores, seen: Sequence[Seen], view: View, pointed: _Pointed) -> AsyncIterator[api.Collection]:
    for one in seen:
        for spec in one.specs:
            try:
                yield await _row(stores, one, spec, view, pointed)
            except UnknownCollectionError:
                continue  # it went after it was listed: a generation was retired


async def _row(stores: Stores, one: Seen, spec: CollectionSpec, view: View, pointed: _Pointed) -> api.Collection:
    owner = knowledge_base(spec.name, spec.generation)
    at_home = stores.holds(one.at, view.store(spec.generation))
    serves = owner is not None and at_home and view.answering(*owner, pointed.get(owner, ())) == spec.generation
    return api.Collection(
        name=spec.name,
        alias=alias_name(*owner) if owner is not None and serves else "",
        generation=spec.generation,
        model=spec.model,
        dimension=spec.dimension,
        points=await one.at.store.point_count(spec.name),
        serves=serves,
        state=view.state(spec.generation),
        store=stores.name(one.at),
    )


def _pointed(seen: Sequence[Seen]) -> _Pointed:
    found: dict[KnowledgeBase, set[int]] = defaultdict(set)
    for binding in (binding for one in seen for binding in one.bindings):
        owner = knowledge_base(binding.collection, binding.generation)
        if owner is not None:
            found[owner].add(binding.generation)
    return found
