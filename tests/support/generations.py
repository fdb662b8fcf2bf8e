"""Rows of `index.generation`, and the groups and topics of a generation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.generations.hosted import View
from roggia_embedder.generations.pointing import Aliases, Leftovers
from roggia_embedder.stores import Stores
from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7
from roggia_schemas import topics
from roggia_schemas.events import (
    GenerationModel,
    GenerationSide,
    GenerationState,
    GenerationWish,
    IndexGeneration,
)


def row(number: int, state: GenerationState, *, uri: str = "", fingerprint: str = "", **facts: Any) -> IndexGeneration:
    """The STATE side of a generation; its model is `stub:<number>` of 64 numbers unless told otherwise."""
    model = GenerationModel(uri=uri or f"stub:{number}", fingerprint=fingerprint, dimension=64)
    values: dict[str, Any] = {
        "event_id": uuid7(),
        "occurred_at": now_ms(),
        "generation": number,
        "side": GenerationSide.STATE,
        "model": model,
        "wish": GenerationWish.FILL,
        "state": state,
    }
    return IndexGeneration(**values | facts)


async def pointed(stores: Stores, view: View, ready: Callable[[str], bool] = lambda _: True) -> bool:
    """What the keepers of aliases do once, store after store; whether something waits for a model. Raises the last
    trouble, as a keeper that tries again would."""
    waits, trouble = False, None
    for keeper in (*(Aliases(at, stores, view, ready) for at in stores), Leftovers(stores, view)):
        try:
            waits = await keeper.once() or waits
        except StoreUnavailableError as error:
            trouble = error
    if trouble is not None:
        raise trouble
    return waits


def groups(number: int, chunker: int = 1) -> dict[str, str]:
    """Consumer groups of a generation, and what they read."""
    return {
        f"roggia.embed.g{number}": topics.doc_chunked(chunker),
        f"roggia.upsert.g{number}": topics.doc_embedded(number),
    }
