"""Rows from values, and payloads from rows: what is read goes through the same forms as Qdrant's payloads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from roggia_embedder.adapters import payload
from roggia_embedder.adapters.pgvector.text import meant, stored
from roggia_embedder.lexical import encode_passage
from roggia_embedder.ports import Attributes, Head, Passage

HEAD_COLUMNS: Final = (
    "id", "tenant_id", "domain", "doc_id", "revision", "epoch", "total", "digest", "before", "written_at",
    "deleted_at", "indexed_at", "parts",
)  # fmt: skip
POINT_COLUMNS: Final = (
    "chunk_id", "tenant_id", "domain", "doc_id", "revision", "epoch", "acl", "heading_path", "title", "source", "lang",
    "created_at", "expires_at", "metadata", "labels",
)  # fmt: skip
"""What a bump sets. An inserted or replaced point sets `since_*` too."""

_PLAIN: Final = {"tenant_id", "domain", "doc_id", "metadata", "dense"}
"""Columns that are not escaped, or not as a whole: names hold no control characters."""
_INT32 = 2**31


def of_head(head: Head) -> tuple[object, ...]:
    """Values of `HEAD_COLUMNS`."""
    return (
        head.id,
        *head.document,
        *head.version,
        head.total,
        head.digest,
        head.before,
        head.written_at,
        head.written_at if head.deleted else None,
        head.indexed_at,
        json.dumps({str(part): tally for part, tally in head.tallies.items()}),
    )


def of_attributes(held: Attributes) -> tuple[object, ...]:
    """Values of `POINT_COLUMNS`."""
    return (
        held.chunk_id,
        *held.document,
        *held.version,
        [*map(stored, held.acl)],
        [*map(stored, held.heading_path)],
        stored(held.title),
        stored(held.source),
        stored(held.language),
        held.created_at,
        held.expires_at,
        json.dumps({stored(key): stored(value) for key, value in held.metadata.items()}, ensure_ascii=False),
        [label(key, value) for key, value in held.metadata.items()],
    )


def label(key: str, value: str) -> str:
    """A metadata entry as it is stored and asked for."""
    return stored(payload.label(key, value))


def term(number: int) -> int:
    """A term number (unsigned, 32 bits) in PostgreSQL's signed integer."""
    return number - _INT32


def postings(number: int, passage: Passage) -> list[tuple[int, int, float]]:
    """Rows of the terms of a passage."""
    words = encode_passage(passage.text, passage.attributes.language)
    pairs = zip(words.indices.tolist(), words.values.tolist(), strict=True)
    return [(number, term(index), weight) for index, weight in pairs]


def head_payload(row: Mapping[str, Any]) -> payload.Payload:
    """A head's row as `payload.of_head` would write it."""
    held = {key: value for key, value in row.items() if value is not None}
    parts = json.loads(held.pop("parts"))
    held |= {payload.part_key(int(part)): tally for part, tally in parts.items()}
    return {**held, "id": str(held["id"]), "kind": payload.HEAD}


def point_payload(row: Mapping[str, Any]) -> payload.Payload:
    """A passage's row as `payload.of_passage` would write it. Columns that were not read are absent."""
    held = {key: value if key in _PLAIN else _meant(value) for key, value in row.items() if value is not None}
    if "metadata" in held:
        held["metadata"] = {meant(key): meant(value) for key, value in json.loads(held["metadata"]).items()}
    return {**held, "chunk_id": str(held["chunk_id"]), "kind": payload.PASSAGE}


def _meant(value: object) -> Any:
    if isinstance(value, str):
        return meant(value)
    return [*map(meant, value)] if isinstance(value, Sequence) else value
