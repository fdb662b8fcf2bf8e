"""Aliases follow the record, in every store."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import structlog

from roggia_embedder.generations import aliases
from roggia_embedder.generations.hosted import View
from roggia_embedder.generations.looking import Seen, failed, looked
from roggia_embedder.ports import IndexBinding
from roggia_embedder.stores import OpenStore, Stores

log = structlog.get_logger()


class Aliases:
    """Points the aliases of one store at its collections of the generation that serves: all that must move at once.

    To be done when a row or a collection is new, not by time: a process that has lost sight of the record would undo a
    switch of another that has not. An alias that readers use stays until `ready` says that queries can be encoded by
    the model that they would need after the switch; `switched` is told of every switch.

    Aliases live beside their collections, so a move to another store is two steps: the alias is made where the
    generation is, then taken away where it was (`Leftovers`). In between both are there, and readers choose by the
    record. Each store has its own `Aliases`: one that hangs holds up no other.
    """

    def __init__(
        self,
        at: OpenStore,
        stores: Stores,
        view: View,
        ready: Callable[[str], bool] = lambda _fingerprint: True,
        switched: Callable[[], None] = lambda: None,
    ) -> None:
        self._at, self._stores, self._view, self._ready, self._switched = at, stores, view, ready, switched

    async def once(self) -> bool:
        """Carry the record out; say whether something of it waits for a model. Raises `UnavailableError`, and
        `UnknownCollectionError` when a collection is gone."""
        began = time.monotonic()
        specs, bindings = await self._at.store.collections(), await self._at.catalogue.bindings()
        own = [spec for spec in specs if self._stores.holds(self._at, self._view.store(spec.generation))]
        wanted = aliases.switches(own, bindings, self._view.serving)
        used = {binding.alias for binding in bindings}
        moves = [move for move in wanted if self._unused(move, used) or self._ready(move.model)]
        if moves:
            await self._at.catalogue.switch(moves)
            where = {move.alias: move.collection for move in moves}
            took_ms = round((time.monotonic() - began) * 1e3, 1)
            log.info("switched", store=self._stores.name(self._at), aliases=where, ms=took_ms)
            self._switched()
        return len(moves) < len(wanted)

    def _unused(self, move: IndexBinding, used: Collection[str]) -> bool:
        """Whether nobody reads by the alias. Where there are other stores, somebody may."""
        return move.alias not in used and not self._stores.several


class Leftovers:
    """Takes away the aliases that another store has taken over."""

    def __init__(self, stores: Stores, view: View) -> None:
        self._stores, self._view = stores, view

    async def once(self) -> bool:
        """Take away what is left over; nothing waits. Raises `UnavailableError` when a store does not answer."""
        seen, trouble = await looked(self._stores)
        for one in seen:
            elsewhere = [binding for other in seen if other is not one for binding in self._at_home(other)]
            for alias in aliases.surplus(elsewhere, one.bindings, self._view.serving):
                trouble = await failed(one.at.catalogue.unbind(alias)) or trouble
                log.info("alias_taken_over", alias=alias, left=self._stores.name(one.at))
        if trouble is not None:
            raise trouble
        return False

    def _at_home(self, one: Seen) -> list[IndexBinding]:
        return [held for held in one.bindings if self._stores.holds(one.at, self._view.store(held.generation))]
