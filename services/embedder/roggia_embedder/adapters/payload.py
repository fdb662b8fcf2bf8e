"""How heads and passages look as Qdrant payloads. Shared by the embedded engine and the server, so that
a snapshot of one reads in the other.

A point's id is the chunk id (or the head's id). `revision` and `epoch` are the version; `since_*` the version that
inserted the point. Absent keys mean None or empty: the engine drops nulls when it merges payloads.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from roggia_schemas.names import Version

from roggia_embedder.ports import Attributes, Document, Head, Hit, PartTally, PointState

Payload: TypeAlias = dict[str, Any]

DENSE: Final = "dense"
LEXICAL: Final = "bm25"
HEAD: Final = "head"
PASSAGE: Final = "passage"
STATE_KEYS: Final = (
    "tenant_id", "domain", "doc_id", "chunk_id", "revision", "epoch", "since_revision", "since_epoch", "acl", "lang",
)  # fmt: skip
KEYWORDS: Final = ("doc_id", "acl", "lang", "source", "labels")
"""Indexed besides `tenant_id`, which is the tenant index."""
INTEGERS: Final = ("expires_at", "deleted_at")
"""Indexed numbers. A version is compared only where ids or a document narrow the points first: no index is worth it."""
RRF_K: Final = 60


def of_head(head: Head) -> Payload:
    """Payload of a head point."""
    payload: Payload = {
        "kind": HEAD,
        **_identity(head.document, head.version),
        "total": head.total,
        "digest": head.digest,
        "before": head.before,
        "written_at": head.written_at,
    }
    payload |= {part_key(part): list(tally) for part, tally in head.tallies.items()}
    if head.deleted:
        payload["deleted_at"] = head.written_at
    if head.indexed_at is not None:
        payload["indexed_at"] = head.indexed_at
    return payload


def part_key(part: int) -> str:
    """Key of a part's tally in a head."""
    return f"part_{part}"


def head_from(payload: Mapping[str, Any]) -> Head:
    """The head that `of_head` wrote."""
    return Head(
        document=document_from(payload),
        version=Version(payload["revision"], payload["epoch"]),
        deleted="deleted_at" in payload,
        total=payload["total"],
        digest=payload["digest"],
        before=payload["before"],
        written_at=payload["written_at"],
        tallies={int(key[5:]): PartTally(*payload[key]) for key in payload if key.startswith("part_")},
        indexed_at=payload.get("indexed_at"),
    )


def of_attributes(held: Attributes) -> Payload:
    """What a bump replaces; a None clears the key."""
    return {
        **_identity(held.document, held.version),
        "acl": list(held.acl),
        "heading_path": list(held.heading_path),
        "title": held.title,
        "source": held.source,
        "lang": held.language,
        "created_at": held.created_at,
        "expires_at": held.expires_at,
        "metadata": dict(held.metadata),
        "labels": [label(key, value) for key, value in held.metadata.items()],
    }


def label(key: str, value: str) -> str:
    """One metadata entry as a keyword: filters on it need no path, so a key may hold any character."""
    return json.dumps([key, value], ensure_ascii=False)


def bump_groups(passages: Iterable[Attributes]) -> list[list[Attributes]]:
    """Passages that a bump changes alike (they differ in their chunk id alone), together."""
    groups: dict[str, list[Attributes]] = defaultdict(list)
    for held in passages:
        groups[json.dumps(of_attributes(held))].append(held)
    return list(groups.values())


def of_passage(held: Attributes, text: str, model: str = "") -> Payload:
    """Payload of a new passage. `model` is the stamp of its vector's model; a bump leaves it alone."""
    payload = {key: value for key, value in of_attributes(held).items() if value not in (None, [], {})}
    if model:
        payload["model"] = model
    return payload | {
        "kind": PASSAGE,
        "chunk_id": held.chunk_id,
        "text": text,
        "since_revision": held.version.revision,
        "since_epoch": held.version.epoch,
    }


def attributes_from(payload: Mapping[str, Any]) -> Attributes:
    """The attributes that `of_passage` or a bump wrote."""
    return Attributes(
        chunk_id=payload["chunk_id"],
        document=document_from(payload),
        version=Version(payload["revision"], payload["epoch"]),
        acl=tuple(payload.get("acl", ())),
        heading_path=tuple(payload.get("heading_path", ())),
        title=payload.get("title"),
        source=payload.get("source"),
        language=payload.get("lang"),
        created_at=payload.get("created_at"),
        expires_at=payload.get("expires_at"),
        metadata=payload.get("metadata") or {},
    )


def state_from(payload: Mapping[str, Any]) -> PointState:
    """What the writer needs to know, from the keys of `STATE_KEYS`."""
    return PointState(
        chunk_id=payload["chunk_id"],
        document=document_from(payload),
        version=Version(payload["revision"], payload["epoch"]),
        since=Version(payload["since_revision"], payload["since_epoch"]),
        acl=tuple(payload.get("acl", ())),
        language=payload.get("lang"),
    )


def hit_from(payload: Mapping[str, Any], score: float) -> Hit:
    """A search result from a passage's payload."""
    held = attributes_from(payload)
    return Hit(
        chunk_id=held.chunk_id,
        doc_id=held.document.doc_id,
        score=score,
        text=payload["text"],
        title=held.title,
        heading_path=held.heading_path,
        source=held.source,
        language=held.language,
        version=held.version,
        metadata=held.metadata,
        model=payload.get("model", ""),
    )


def document_from(payload: Mapping[str, Any]) -> Document:
    """Which document a point belongs to."""
    return Document(payload["tenant_id"], payload["domain"], payload["doc_id"])


def _identity(document: Document, version: Version) -> Payload:
    return {
        "tenant_id": document.tenant_id,
        "domain": document.domain,
        "doc_id": document.doc_id,
        "revision": version.revision,
        "epoch": version.epoch,
    }
