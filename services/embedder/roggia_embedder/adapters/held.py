"""From stored payloads to what verification looks at. Lenient: whatever a payload holds, it reads as something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from roggia_schemas.names import Version

from roggia_embedder.adapters import payload as form
from roggia_embedder.ports import Attributes, Document, Head
from roggia_embedder.ports.held import Held, HeldHead, HeldPassage


def held_from(point_id: str, payload: Mapping[str, Any], dense: Sequence[float] | None) -> Held:
    """A head or passage as it is stored."""
    if payload.get("kind") == form.HEAD:
        return HeldHead(point_id, _head(payload))
    return HeldPassage(
        point_id=point_id,
        attributes=_attributes(point_id, payload),
        text=_text(payload, "text"),
        model=_text(payload, "model"),
        dimension=_dimension(dense),
        well_formed=_well_formed(point_id, payload),
    )


def _head(payload: Mapping[str, Any]) -> Head:
    return Head(
        document=_document(payload),
        version=_version(payload),
        deleted="deleted_at" in payload,
        total=_number(payload, "total"),
        digest=_text(payload, "digest"),
        before=_number(payload, "before"),
        written_at=_number(payload, "written_at"),
        indexed_at=payload.get("indexed_at"),
    )


def _attributes(point_id: str, payload: Mapping[str, Any]) -> Attributes:
    metadata = payload.get("metadata") or {}
    return Attributes(
        chunk_id=point_id,
        document=_document(payload),
        version=_version(payload),
        acl=_texts(payload, "acl"),
        heading_path=_texts(payload, "heading_path"),
        title=payload.get("title"),
        source=payload.get("source"),
        language=payload.get("lang"),
        created_at=payload.get("created_at"),
        expires_at=payload.get("expires_at"),
        metadata=metadata if isinstance(metadata, dict) else {"": str(metadata)},
    )


def _well_formed(point_id: str, payload: Mapping[str, Any]) -> bool:
    metadata = payload.get("metadata") or {}
    if payload.get("kind") != form.PASSAGE or payload.get("chunk_id") != point_id or not isinstance(metadata, dict):
        return False
    labels = sorted(form.label(key, value) for key, value in metadata.items())
    return "deleted_at" not in payload and sorted(map(str, payload.get("labels") or ())) == labels


def _document(payload: Mapping[str, Any]) -> Document:
    return Document(_text(payload, "tenant_id"), _text(payload, "domain"), _text(payload, "doc_id"))


def _version(payload: Mapping[str, Any]) -> Version:
    return Version(_number(payload, "revision"), _number(payload, "epoch"))


def _number(payload: Mapping[str, Any], key: str) -> int:
    value = payload.get(key)
    return value if isinstance(value, int) else -1


def _text(payload: Mapping[str, Any], key: str) -> str:
    value = payload.get(key)
    return value if isinstance(value, str) else ""


def _texts(payload: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = payload.get(key)
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _dimension(dense: Sequence[float] | None) -> int:
    return 0 if dense is None or not np.isfinite(dense).all() else len(dense)
