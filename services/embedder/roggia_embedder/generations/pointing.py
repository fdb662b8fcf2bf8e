"""Aliases follow the record, in every store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from roggia_embedder.generations import aliases
from roggia_embedder.generations.hosted import View
from roggia_embedder.generations.looking import Seen, Trouble, failed, looked
from roggia_embedder.ports import CollectionSpec, IndexBinding
from roggia_embedder.stores import OpenStore, Stores

log = structlog.get_logger()


class Aliases:
    """Points every alias at the collection of the generation that serves; all that must move in a store, in one step.

    To be done when a row or a collection is new, not by time: a process that has lost sight of the record would undo a
    switch of another that has not. An alias that readers use stays until `ready` says that queries can be encoded by
    the model that they would need after the switch.

    Aliases live beside their collections, so a move to another store is two steps: the alias is made where the
    generation is, then taken away where it was. In between both are there, and readers choose by the record. A store
    that does not answer holds up no other; what is to be done there is done once it does.
    """

    def __init__(self, stores: Stores, view: View, ready: Callable[[str], bool] = lambda _fingerprint: True) -> None:
        self._stores, self._view, self._ready = stores, view, ready

    async def once(self) -> bool:
        """Carry the record out; say whether something of it waits for a model. Raises `UnavailableError`, and
        `UnknownCollectionError` when a collection is gone."""
        began, waits = time.monotonic(), False
        seen, trouble = await looked(self._stores)
        used = {binding.alias for one in seen for binding in one.bindings}
        unknown = trouble is not None
        for one in seen:
            wanted = aliases.switches(self._own(one), one.bindings, self._view.serving)
            moves = [m for m in wanted if (m.alias not in used and not unknown) or self._ready(m.model)]
            waits = waits or len(moves) < len(wanted)
            trouble = await failed(self._switch(one.at, moves, began)) or trouble
        if self._stores.several:
            trouble = await self._take_away() or trouble
        if trouble is not None:
            raise trouble
        return waits

    def _own(self, one: Seen) -> list[CollectionSpec]:
        """The collections that are where the record says: others, of whatever name, serve nobody."""
        return [spec for spec in one.specs if self._at_home(spec.generation, one.at)]

    def _at_home(self, number: int, at: OpenStore) -> bool:
        return self._stores.holds(at, self._view.store(number))

    async def _switch(self, at: OpenStore, moves: Sequence[IndexBinding], began: float) -> None:
        if moves:
            await at.catalogue.switch(moves)
            where = {move.alias: move.collection for move in moves}
            took_ms = round((time.monotonic() - began) * 1e3, 1)
            log.info("switched", store=self._stores.name(at), aliases=where, ms=took_ms)

    async def _take_away(self) -> Trouble | None:
        """Aliases that another store has taken over. All are read anew: two names may mean one database."""
        seen, trouble = await looked(self._stores)
        for one in seen:
            elsewhere = [
                binding
                for other in seen
                for binding in other.bindings
                if other is not one and self._at_home(binding.generation, other.at)
            ]
            for alias in aliases.surplus(elsewhere, one.bindings, self._view.serving):
                trouble = await failed(one.at.catalogue.unbind(alias)) or trouble
                log.info("alias_moved_away", alias=alias, store=self._stores.name(one.at))
        return trouble
