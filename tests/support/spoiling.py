"""Damage to an index, done behind the writer's back: on the store in memory and on the embedded engine."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import qdrant_edge as qe
from roggia_embedder.adapters import payload as form
from roggia_embedder.adapters.edge import EdgeStore
from roggia_embedder.adapters.memory import MemoryStore, _Stored
from roggia_embedder.ports import Document, Head, Passage, head_id
from roggia_runtime.findings import Kind
from roggia_schemas.names import Version

Point = tuple[Head | Passage, str]


class Spoiler(Protocol):
    """Writes without a guard."""

    def remove(self, collection: str, point_id: str) -> None:
        """A point is gone."""

    def put(self, collection: str, point_id: str, what: Head | Passage) -> None:
        """A point is there, as given, under this id."""


class MemorySpoiler:
    """Of the store in memory. Heads live under their documents there."""

    def __init__(self, store: MemoryStore) -> None:
        self._collections = store._collections

    def remove(self, collection: str, point_id: str) -> None:
        """See `Spoiler`."""
        held = self._collections[collection]
        held.points.pop(point_id, None)
        held.heads = {document: head for document, head in held.heads.items() if head.id != point_id}

    def put(self, collection: str, point_id: str, what: Head | Passage) -> None:
        """See `Spoiler`."""
        held = self._collections[collection]
        if isinstance(what, Head):
            held.heads[what.document] = what
        else:
            held.points[point_id] = _Stored(what, what.attributes.version)


class EdgeSpoiler:
    """Of the embedded engine."""

    def __init__(self, store: EdgeStore) -> None:
        self._shards = store._shards

    def remove(self, collection: str, point_id: str) -> None:
        """See `Spoiler`."""
        self._shards.get(collection).update(qe.UpdateOperation.delete_points([point_id]))

    def put(self, collection: str, point_id: str, what: Head | Passage) -> None:
        """See `Spoiler`."""
        vectors: dict[str, Any] = {}
        if isinstance(what, Head):
            values = form.of_head(what)
        else:
            values = form.of_passage(what.attributes, what.text, what.model)
            vectors = {form.DENSE: what.dense.tolist()} if len(what.dense) else {}
        self._shards.get(collection).update(qe.UpdateOperation.upsert_points([qe.Point(point_id, vectors, values)]))


@dataclass(frozen=True)
class Damage:
    """What was done, and what a verification must say of it: kinds by point id."""

    name: str
    document: Document
    says: Mapping[str, Kind]


class Vandal:
    """Does random damage to living documents of one collection, each at most once."""

    def __init__(self, spoiler: Spoiler, collection: str, rng: random.Random) -> None:
        self._spoiler, self._collection, self._rng = spoiler, collection, rng
        self.kinds: dict[str, Callable[[Head, list[Passage]], Mapping[str, Kind]]] = {
            "missing passage": self._missing_passage,
            "missing head": self._missing_head,
            "orphan of the document": self._orphan_chunk,
            "orphan of an unknown document": self._unknown,
            "stale passage": self._stale,
            "wrong tenant": self._wrong_tenant,
            "wrong document": self._wrong_document,
            "wrong acl": self._wrong_acl,
            "wrong title": self._wrong_title,
            "wrong heading": self._wrong_heading,
            "wrong metadata": self._wrong_metadata,
            "wrong text": self._wrong_text,
            "wrong model": self._wrong_model,
            "no vector": self._wrong_vector,
            "wrong total": self._wrong_total,
            "wrong digest": self._wrong_digest,
            "not marked": self._not_marked,
            "deleted head": self._deleted_head,
            "stale head": self._stale_head,
        }

    def spoil(self, name: str, head: Head, passages: list[Passage]) -> Damage:
        """One damage to one document, given as it is stored."""
        says = self.kinds[name](head, passages)
        return Damage(name, head.document, says)

    def _one(self, passages: list[Passage]) -> Passage:
        return self._rng.choice(passages)

    def _change(self, passage: Passage, kind: Kind, text: str | None = None, **attributes: Any) -> Mapping[str, Kind]:
        changed = replace(passage, attributes=replace(passage.attributes, **attributes), text=text or passage.text)
        self._spoiler.put(self._collection, passage.attributes.chunk_id, changed)
        return {passage.attributes.chunk_id: kind}

    def _head(self, head: Head, kind: Kind, **changes: Any) -> Mapping[str, Kind]:
        self._spoiler.put(self._collection, head.id, replace(head, **changes))
        return {head.id: kind}

    def _missing_passage(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        gone = self._one(passages).attributes.chunk_id
        self._spoiler.remove(self._collection, gone)
        return {gone: Kind.MISSING}

    def _missing_head(self, head: Head, _passages: list[Passage]) -> Mapping[str, Kind]:
        self._spoiler.remove(self._collection, head.id)
        return {head.id: Kind.MISSING}

    def _orphan_chunk(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        new = self._id()
        one = self._one(passages)
        self._spoiler.put(self._collection, new, replace(one, attributes=replace(one.attributes, chunk_id=new)))
        return {new: Kind.ORPHAN}

    def _unknown(self, head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        new, one = self._id(), self._one(passages)
        ghost = head.document._replace(doc_id=f"ghost-{new}")
        stored = replace(one, attributes=replace(one.attributes, chunk_id=new, document=ghost))
        self._spoiler.put(self._collection, new, stored)
        self._spoiler.put(self._collection, head_id(ghost), replace(head, document=ghost, total=1))
        return {new: Kind.ORPHAN, head_id(ghost): Kind.ORPHAN}

    def _stale(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        one = self._one(passages)
        return self._change(one, Kind.STALE, version=Version(one.attributes.version.revision - 1, 0))

    def _wrong_tenant(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        one = self._one(passages)
        return self._change(one, Kind.WRONG_PAYLOAD, document=one.attributes.document._replace(tenant_id="evil"))

    def _wrong_document(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        one = self._one(passages)
        return self._change(one, Kind.WRONG_PAYLOAD, document=one.attributes.document._replace(doc_id="another"))

    def _wrong_acl(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        return self._change(self._one(passages), Kind.WRONG_PAYLOAD, acl=("spies",))

    def _wrong_title(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        return self._change(self._one(passages), Kind.WRONG_PAYLOAD, title="Another title")

    def _wrong_heading(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        return self._change(self._one(passages), Kind.WRONG_PAYLOAD, heading_path=("Elsewhere",))

    def _wrong_metadata(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        return self._change(self._one(passages), Kind.WRONG_PAYLOAD, metadata={"team": "others"})

    def _wrong_text(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        return self._change(self._one(passages), Kind.WRONG_TEXT, text="Other words.")

    def _wrong_model(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        one = self._one(passages)
        self._spoiler.put(self._collection, one.attributes.chunk_id, replace(one, model="f" * 16))
        return {one.attributes.chunk_id: Kind.WRONG_MODEL}

    def _wrong_vector(self, _head: Head, passages: list[Passage]) -> Mapping[str, Kind]:
        one = self._one(passages)
        self._spoiler.put(self._collection, one.attributes.chunk_id, replace(one, dense=np.empty(0, np.float32)))
        return {one.attributes.chunk_id: Kind.WRONG_VECTOR}

    def _wrong_total(self, head: Head, _passages: list[Passage]) -> Mapping[str, Kind]:
        return self._head(head, Kind.WRONG_HEAD, total=head.total + 1)

    def _wrong_digest(self, head: Head, _passages: list[Passage]) -> Mapping[str, Kind]:
        return self._head(head, Kind.WRONG_HEAD, digest="0" * 32)

    def _not_marked(self, head: Head, _passages: list[Passage]) -> Mapping[str, Kind]:
        return self._head(head, Kind.WRONG_HEAD, indexed_at=None)

    def _deleted_head(self, head: Head, _passages: list[Passage]) -> Mapping[str, Kind]:
        return self._head(head, Kind.TOMBSTONE, deleted=True)

    def _stale_head(self, head: Head, _passages: list[Passage]) -> Mapping[str, Kind]:
        return self._head(head, Kind.STALE, version=Version(head.version.revision - 1, 0))

    def _id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
