"""Collections as classes, points as objects.

`payload` holds all of a point's payload as one JSON text, in the form that Qdrant has it; the other properties repeat
what filters need. Absent values are numbers that no time reaches, since Weaviate filters by absence only where a class
was made for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from roggia_schemas.names import Version

from roggia_embedder import lexical
from roggia_embedder.adapters import payload
from roggia_embedder.adapters.weaviate.client import Json
from roggia_embedder.adapters.weaviate.filters import keyword
from roggia_embedder.errors import StoreUnusableError
from roggia_embedder.ports import Attributes, CollectionSpec, Document, Head, Matrix, Passage, head_id
from roggia_embedder.tuning import IndexTuning

NEVER: Final = 2**53
_PREFIX: Final = "Roggia_"
_KEYWORDS: Final = ("kind", "owner", "tenant_id", "doc_id", "lang", "source")
_LISTS: Final = ("acl", "labels")
_NUMBERS: Final = ("revision", "epoch", "expires_at", "deleted_at", "indexed_at")


def class_name(collection: str) -> str:
    """A class has no `-`, and a collection no upper-case letter."""
    return _PREFIX + collection.replace("-", "Z")


def definition(spec: CollectionSpec, tuning: IndexTuning) -> Json:
    """The class of a collection. Its description says what it is: Weaviate keeps nothing else for us."""
    if tuning.quantization != "none":
        raise StoreUnusableError(f"tuning.quantization: {tuning.quantization} is not for Weaviate here; use none")
    index = {
        "distance": "cosine",
        "maxConnections": tuning.m,
        "efConstruction": tuning.ef_construct,
        "ef": tuning.ef,
    }
    return {
        "class": class_name(spec.name),
        "description": json.dumps({"name": spec.name, "generation": spec.generation, "model": spec.model,
                                   "dimension": spec.dimension}),
        "vectorConfig": {"dense": {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw", "vectorIndexConfig": index}},
        "invertedIndexConfig": {"bm25": {"k1": lexical.K1, "b": lexical.B}, "stopwords": {"preset": "none"}},
        "properties": [
            *(_property(name, "text", filterable=True, tokenization="field") for name in _KEYWORDS),
            *(_property(name, "text[]", filterable=True, tokenization="field") for name in _LISTS),
            *(_property(name, "number", filterable=True) for name in _NUMBERS),
            _property("words", "text", searchable=True, tokenization="whitespace"),
            _property("payload", "text", tokenization="field"),
            _property("text", "text", tokenization="field"),
        ],
    }  # fmt: skip


def _property(name: str, kind: str, *, filterable: bool = False, searchable: bool = False, **more: str) -> Json:
    return {"name": name, "dataType": [kind], "indexFilterable": filterable, "indexSearchable": searchable, **more}


def spec_of(held: Json) -> CollectionSpec | None:
    """The spec that `definition` wrote, or None for a class that is not one of ours."""
    if not held["class"].startswith(_PREFIX):
        return None
    try:
        said = json.loads(held.get("description") or "")
        return CollectionSpec(said["name"], said["generation"], said["model"], said["dimension"])
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Point:
    """An object as it is read and written: always as a whole."""

    id: str
    payload: payload.Payload
    text: str = ""
    dense: Matrix | None = None

    @property
    def version(self) -> Version:
        """What guards compare."""
        return Version(self.payload["revision"], self.payload["epoch"])

    @property
    def head(self) -> bool:
        """It is a document's head."""
        return bool(self.payload.get("kind") == payload.HEAD)

    def changed(self, **values: object) -> Point:
        """The point with other values in its payload."""
        return replace(self, payload={**self.payload, **values})


def of_head(head: Head) -> Point:
    """A head, which has no vector."""
    return Point(head.id, payload.of_head(head))


def of_passage(passage: Passage) -> Point:
    """A passage."""
    held = passage.attributes
    return Point(held.chunk_id, payload.of_passage(held, passage.text, passage.model), passage.text, passage.dense)


def bumped(old: Point, held: Attributes) -> Point:
    """`old` with everything but text, vector, model and `since` replaced."""
    kept: payload.Payload = {
        key: old.payload[key] for key in ("model", "since_revision", "since_epoch") if key in old.payload
    }
    return replace(old, payload={**payload.of_passage(held, old.text), **kept})


def passage_of(point: Point) -> Passage:
    """The passage that `of_passage` was given."""
    dense = np.zeros(0, np.float32) if point.dense is None else point.dense
    return Passage(payload.attributes_from(point.payload), point.text, dense, point.payload.get("model", ""))


def to_object(name: str, point: Point) -> Json:
    """What is sent."""
    held = {key: value for key, value in point.payload.items() if key != "text"}
    document = Document(held["tenant_id"], held["domain"], held["doc_id"])
    properties: Json = {
        "kind": held["kind"],
        "owner": head_id(document),
        **{key: keyword(held[key]) for key in ("tenant_id", "doc_id", "lang", "source") if held.get(key) is not None},
        "acl": [keyword(group) for group in held.get("acl", ())],
        "labels": held.get("labels") or [],
        "revision": held["revision"],
        "epoch": held["epoch"],
        **{key: _moment(held.get(key)) for key in ("expires_at", "deleted_at", "indexed_at")},
        "payload": json.dumps(held, ensure_ascii=False),
        "text": point.text,
        "words": "" if point.head else words(point.text, held.get("lang")),
    }
    made: Json = {"class": name, "id": point.id, "properties": properties}
    if point.dense is not None:
        made["vectors"] = {"dense": point.dense.tolist()}
    return made


def _moment(value: int | None) -> int:
    return NEVER if value is None else value


def words(text: str, language: str | None) -> str:
    """Term numbers in the order of the words, for Weaviate's own BM25 to count."""
    return " ".join(map(str, lexical.terms(text, language)))


def from_object(object_id: str, properties: Json, vectors: Any) -> Point:
    """What was read. An object that other hands have spoilt has a payload of what could be read of it."""
    try:
        held = json.loads(properties.get("payload") or "{}")
    except ValueError:
        held = {}
    text = properties.get("text") or ""
    if isinstance(held, dict) and held.get("kind") != payload.HEAD:
        held["text"] = text
    dense = (vectors or {}).get("dense")
    return Point(
        object_id, held if isinstance(held, dict) else {}, text, np.asarray(dense, np.float32) if dense else None
    )
