"""Which physical collection answers for a knowledge base, and which model its vectors are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class IndexBinding:
    """One alias, resolved: everything that must be consistent within one request.

    `alias` is `kb_<tenant>_<domain>`, `collection` is `…__g<generation>`, `model` is the fingerprint of the vectors in
    it. A query is encoded by that model and sent to that collection, never to the alias.
    """

    alias: str
    collection: str
    generation: int
    model: str
    dimension: int


class Aliasing(Protocol):
    """What readers ask of aliases, wherever they are kept."""

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """What answers for (tenant, domain) now, or None when nothing was ever indexed there."""
        ...


class IndexCatalogue(Aliasing, Protocol):
    """The aliases of one store. Written by the upsert role, resolved by the query role once per request."""

    async def bind(self, binding: IndexBinding) -> None:
        """Point the alias at an existing collection, atomically; an alias that points elsewhere is switched."""
        ...

    async def switch(self, bindings: Sequence[IndexBinding]) -> None:
        """Bind several aliases at once: readers see every one of them before or every one after, and a crash leaves
        all or none. One alias is named once. Collections exist; of a store that keeps aliases beside them, one that
        does not exist raises `UnknownCollectionError` and moves nothing."""
        ...

    async def unbind(self, alias: str) -> None:
        """Remove an alias; one that is not there is no error."""
        ...

    async def bindings(self) -> Sequence[IndexBinding]:
        """Every alias, ordered by name."""
        ...
