"""What every store holds and points at, read store by store: one that does not answer hides no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from roggia_runtime.errors import UnavailableError

from roggia_embedder.errors import StoreUnavailableError, UnknownCollectionError
from roggia_embedder.ports import CollectionSpec, IndexBinding
from roggia_embedder.stores import OpenStore, Stores

Trouble: TypeAlias = UnavailableError | UnknownCollectionError


@dataclass(frozen=True, slots=True)
class Seen:
    """One store: its collections and its aliases."""

    at: OpenStore
    specs: Sequence[CollectionSpec]
    bindings: Sequence[IndexBinding]


async def looked(stores: Stores, within_s: float | None = None) -> tuple[list[Seen], Trouble | None]:
    """The stores that answer (in time), and why one of the others does not."""
    looks = [asyncio.ensure_future(_look(at)) for at in stores]
    await asyncio.wait(looks, timeout=within_s)
    found: list[Seen] = []
    trouble: Trouble | None = None
    for at, look in zip(stores, looks, strict=True):
        try:
            found.append(_result(look, stores.name(at), within_s))
        except (UnavailableError, UnknownCollectionError) as error:
            trouble = error
    return found, trouble


async def failed(work: Awaitable[None]) -> Trouble | None:
    """What kept the work from being done; None when it was done."""
    try:
        await work
    except (UnavailableError, UnknownCollectionError) as trouble:  # the latter: a collection dropped meanwhile
        return trouble
    return None


async def _look(at: OpenStore) -> Seen:
    return Seen(at, await at.store.collections(), await at.catalogue.bindings())


def _result(look: asyncio.Future[Seen], name: str, within_s: float | None) -> Seen:
    if not look.done():
        look.cancel()  # not waited for: a client of a server that hangs may hang as well
        raise StoreUnavailableError(f"store {name or 'of the settings'}: no answer within {within_s:g} s")
    return look.result()
