"""An `IndexCatalogue` in one object, since Weaviate's own aliases are switched one by one.

Read, changed and written by the one writer that the lease admits; two calls at once in a process take turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from roggia_schemas.names import alias_name

from roggia_embedder.adapters.weaviate.store import WeaviateStore
from roggia_embedder.errors import UnknownCollectionError
from roggia_embedder.ports import IndexBinding

_ALIASES: Final = "aliases"


class WeaviateCatalogue:
    """Aliases beside a store's collections."""

    def __init__(self, store: WeaviateStore) -> None:
        self._store = store
        self._turn = asyncio.Lock()

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """See `IndexCatalogue`."""
        row = (await self._store.state.read(_ALIASES)).get(alias_name(tenant_id, domain))
        return IndexBinding(**row) if row else None

    async def bind(self, binding: IndexBinding) -> None:
        """See `IndexCatalogue`."""
        await self.switch([binding])

    async def switch(self, bindings: Sequence[IndexBinding]) -> None:
        """See `IndexCatalogue`: one object is replaced."""
        there = {spec.name for spec in await self._store.collections()}
        for binding in bindings:
            if binding.collection not in there:
                raise UnknownCollectionError(f"collection {binding.collection} does not exist")
        await self._change(lambda held: held | {binding.alias: asdict(binding) for binding in bindings})

    async def unbind(self, alias: str) -> None:
        """See `IndexCatalogue`."""
        await self._change(lambda held: {name: row for name, row in held.items() if name != alias})

    async def bindings(self) -> Sequence[IndexBinding]:
        """See `IndexCatalogue`."""
        held = await self._store.state.read(_ALIASES)
        return [IndexBinding(**held[alias]) for alias in sorted(held)]

    async def _change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        async with self._turn:
            held = await self._store.state.read(_ALIASES)
            changed = change(held)
            if changed != held:
                await self._store.lease.hold()
                await self._store.state.write(_ALIASES, changed)
