"""Run coroutines one store call at a time, in an order that the test decides, and crash them between two calls."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from types import coroutine
from typing import Any

from roggia_embedder.ports import VectorStore


@coroutine
def _pause():
    yield


class SteppedStore:
    """Pauses before every call, and cuts batches of writes into single items: a crash may fall between any two."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store

    async def read_heads(self, collection: str, documents: Sequence[Any]) -> Any:
        await _pause()
        return await self._store.read_heads(collection, documents)

    async def list_points(self, collection: str, documents: Sequence[Any]) -> Any:
        await _pause()
        return await self._store.list_points(collection, documents)

    async def write_heads(self, collection: str, heads: Sequence[Any]) -> None:
        await self._each("write_heads", collection, heads)

    async def note_parts(self, collection: str, notes: Sequence[Any]) -> None:
        await self._each("note_parts", collection, notes)

    async def upsert(self, collection: str, passages: Sequence[Any]) -> None:
        await self._each("upsert", collection, passages)

    async def bump(self, collection: str, passages: Sequence[Any]) -> None:
        await self._each("bump", collection, passages)

    async def _each(self, method: str, collection: str, items: Sequence[Any]) -> None:
        for item in items:
            await _pause()
            await getattr(self._store, method)(collection, [item])

    async def narrow(self, collection: str, acl: tuple[str, ...], points: Mapping[str, Any]) -> None:
        for key, version in points.items():
            await _pause()
            await self._store.narrow(collection, acl, {key: version})

    async def delete_older(self, collection: str, cutoffs: Mapping[Any, Any]) -> None:
        for document, version in cutoffs.items():
            await _pause()
            await self._store.delete_older(collection, {document: version})

    async def mark_indexed(self, collection: str, heads: Mapping[Any, Any], indexed_at: int) -> None:
        for document, version in heads.items():
            await _pause()
            await self._store.mark_indexed(collection, {document: version}, indexed_at)


class Stepper:
    """A coroutine advanced one pause at a time. Only pauses may suspend it: the store below must never wait."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self.done = False
        self.result: Any = None
        self.step()

    def step(self) -> None:
        """Run to the next pause or to the end."""
        try:
            self._work.send(None)
        except StopIteration as stop:
            self.done, self.result = True, stop.value

    def crash(self) -> None:
        """Stop here for good, as kill -9 would: the store keeps what was written."""
        self._work.close()
        self.done = True
