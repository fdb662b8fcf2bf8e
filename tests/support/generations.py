"""Rows of `index.generation`, and the groups and topics of a generation."""

from __future__ import annotations

from typing import Any

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


def groups(number: int, chunker: int = 1) -> dict[str, str]:
    """Consumer groups of a generation, and what they read."""
    return {
        f"roggia.embed.g{number}": topics.doc_chunked(chunker),
        f"roggia.upsert.g{number}": topics.doc_embedded(number),
    }
