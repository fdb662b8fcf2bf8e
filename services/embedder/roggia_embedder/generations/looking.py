"""What every store holds and points at, read store by store: one that does not answer hides no other."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from roggia_runtime.errors import UnavailableError

from roggia_embedder.errors import UnknownCollectionError
from roggia_embedder.ports import CollectionSpec, IndexBinding
from roggia_embedder.stores import OpenStore, Stores

Trouble: TypeAlias = UnavailableError | UnknownCollectionError


@dataclass(frozen=True, slots=True)
class Seen:
    """One store: its collections and its aliases."""

    at: OpenStore
    specs: Sequence[CollectionSpec]
    bindings: Sequence[IndexBinding]


async def looked(stores: Stores) -> tuple[list[Seen], Trouble | None]:
    """The stores that answer, and why one of the others does not."""
    found: list[Seen] = []
    trouble: Trouble | None = None
    for at in stores:
        trouble = await failed(_look(at, found)) or trouble
    return found, trouble


async def failed(work: Awaitable[None]) -> Trouble | None:
    """What kept the work from being done; None when it was done."""
    try:
        await work
    except (UnavailableError, UnknownCollectionError) as trouble:  # the latter: a collection dropped meanwhile
        return trouble
    return None


async def _look(at: OpenStore, found: list[Seen]) -> None:
    found.append(Seen(at, await at.store.collections(), await at.catalogue.bindings()))
