"""The index that a log demands, point by point, and the one that is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from roggia_embedder.adapters.edge import EdgeStore
from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.ports import Head, Passage, VectorStore
from roggia_ingest import events
from roggia_ingest.catalogue import DocKey
from roggia_ingest.prepare import Job
from roggia_schemas.events import Chunk, DocChanged
from roggia_schemas.names import Version, collection_name

from tests.support.ingesting import preparation
from tests.support.storm.model import Expected, Key, State

_NEAR = 1e-4


class Point(NamedTuple):
    """A passage, by everything that a search depends on; `vector` says whether it is the text's own."""

    collection: str
    doc_id: str
    chunk_id: str
    version: Version
    acl: tuple[str, ...]
    text: str
    vector: bool


class HeadPoint(NamedTuple):
    """A document's head in one collection. `complete`: it is marked as indexed."""

    collection: str
    tenant_id: str
    doc_id: str
    version: Version
    deleted: bool
    complete: bool


Points = set[Point | HeadPoint]


def demanded(expected: Expected) -> Points:
    """Every point that must be there; no other may."""
    return {point for key, state in expected.final.items() for point in (*_passages(key, state), *_heads(key, state))}


def text_hashes(key: Key, state: State) -> set[str]:
    """SHA-256 of the texts that a document's newest version consists of."""
    return {chunk.text_sha256 for chunk in _chunks(key, state)}


def _chunks(key: Key, state: State) -> tuple[Chunk, ...]:
    return () if state.deleted else _chunked(key, state.domain, state.event)


def _chunked(key: Key, domain: str, event: DocChanged) -> tuple[Chunk, ...]:
    job = Job(event.content or b"", event.content_type or "", title=event.title)
    return tuple(events.chunks_of(DocKey(*key), domain, preparation().prepare(job).passages))


def _passages(key: Key, state: State) -> list[Point]:
    collection, acl = collection_name(key[0], state.domain, 1), tuple(sorted(state.event.acl))
    return [
        Point(collection, key[1], chunk.chunk_id, state.version, acl, chunk.text, True) for chunk in _chunks(key, state)
    ]


def _heads(key: Key, state: State) -> list[HeadPoint]:
    own = HeadPoint(collection_name(key[0], state.domain, 1), *key, state.version, state.deleted, True)
    left = [HeadPoint(collection_name(key[0], domain, 1), *key, state.version, True, True) for domain in state.left]
    return [own, *left]


async def held(folder: Path) -> Points:
    """Every point of an embedded index that no process has open."""
    store, model = EdgeStore(folder), StubModel()
    try:
        return await held_in(store, lambda _generation: model)
    finally:
        await store.close()


async def held_in(store: VectorStore, model: Callable[[int], StubModel]) -> Points:
    """Every point of a store; the vectors of a generation are compared with what its `model` makes of their texts."""
    return {
        _point(spec.name, point, model(spec.generation))
        for spec in await store.collections()
        async for point in store.scan(spec.name)
    }


def of_generation(points: Points, generation: int) -> Points:
    """The same points as another generation must hold them."""
    return {point._replace(collection=f"{point.collection.rpartition('__')[0]}__g{generation}") for point in points}


def _point(collection: str, point: Head | Passage, model: StubModel) -> Point | HeadPoint:
    if isinstance(point, Head):
        document = point.document
        complete = point.indexed_at is not None
        return HeadPoint(collection, document.tenant_id, document.doc_id, point.version, point.deleted, complete)
    own = model.encode([point.text])[0]
    near = bool(np.allclose(point.dense, own / np.linalg.norm(own), atol=_NEAR))
    attributes = point.attributes
    return Point(
        collection,
        attributes.document.doc_id,
        attributes.chunk_id,
        attributes.version,
        tuple(sorted(attributes.acl)),
        point.text,
        near,
    )
