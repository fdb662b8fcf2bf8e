"""A `VectorStore` on a Qdrant server. Several processes may write and read at once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
from qdrant_client import AsyncQdrantClient
from qdrant_client import models as m
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from roggia_schemas.names import Version

from roggia_embedder.adapters import payload
from roggia_embedder.adapters.held import held_from
from roggia_embedder.adapters.qdrant import collection as col
from roggia_embedder.adapters.qdrant import filters as f
from roggia_embedder.errors import ModelMismatchError, StoreUnavailableError, UnknownCollectionError
from roggia_embedder.lexical import encode_passage
from roggia_embedder.ports import (
    Attributes,
    CollectionSpec,
    Document,
    Head,
    Hit,
    PartNote,
    Passage,
    PointState,
    SearchRequest,
    head_id,
)
from roggia_embedder.ports.held import Held
from roggia_embedder.tuning import TUNING, IndexTuning

_PAGE = 1_000
_UPSERT_POINTS = 256
_TIMEOUT_S = 30
_BUSY = {408, 429, 500, 502, 503, 504}
_NOT_FOUND = 404
_MISSING = re.compile(r"Collection (\S+) not found\Z")
"""What the client's local mode says."""


class QdrantStore:
    """Writes wait until the server has applied them (`wait`), with strong ordering between replicas."""

    def __init__(self, client: AsyncQdrantClient, tuning: IndexTuning = TUNING) -> None:
        self.client = client
        self._tuning = tuning
        self._specs: dict[str, CollectionSpec] = {}

    @classmethod
    def connect(cls, url: str, api_key: str | None = None, tuning: IndexTuning = TUNING) -> QdrantStore:
        """A store at an HTTP URL; `:memory:` is the client's local mode, for tests."""
        where: dict[str, Any] = {"location": ":memory:"} if url == ":memory:" else {"url": url, "api_key": api_key}
        return cls(AsyncQdrantClient(**where, timeout=_TIMEOUT_S, check_compatibility=False), tuning)

    async def _update(self, name: str, operations: Sequence[m.UpdateOperation]) -> None:
        if operations:
            with translated(name):
                await self.client.batch_update_points(name, operations, wait=True, ordering=m.WriteOrdering.STRONG)

    async def ensure_collection(self, spec: CollectionSpec) -> None:
        """See `VectorStore`."""
        with translated(spec.name):
            if not await self.client.collection_exists(spec.name):
                await self._create(spec)
            held = col.spec_of(spec.name, await self.client.get_collection(spec.name))
        if held != spec:
            self._specs.pop(spec.name, None)
            raise ModelMismatchError(spec.name, held.model if held else "(no metadata)", spec.model)

    async def _create(self, spec: CollectionSpec) -> None:
        try:
            await self.client.create_collection(**col.creation(spec, self._tuning))
        except UnexpectedResponse as error:
            if error.status_code != httpx.codes.CONFLICT:  # another writer was faster
                raise
        for key, schema in col.indexes().items():
            await self.client.create_payload_index(spec.name, key, field_schema=schema, wait=True)

    async def drop_collection(self, name: str) -> None:
        """See `VectorStore`."""
        self._specs.pop(name, None)
        with translated(name):
            await self.client.delete_collection(name)

    async def collections(self) -> Sequence[CollectionSpec]:
        """See `VectorStore`."""
        with translated("*"):
            names = sorted(found.name for found in (await self.client.get_collections()).collections)
        self._specs = {name: spec for name, spec in self._specs.items() if name in names}
        specs = [await self.spec(name) for name in names]
        return [spec for spec in specs if spec is not None]

    async def spec(self, name: str, *, fresh: bool = False) -> CollectionSpec | None:
        """See `VectorStore`. Remembered: what a name means does not change while the collection lives; of one that was
        made anew the passages say that they are another model's."""
        if name in self._specs and not fresh:
            return self._specs[name]
        self._specs.pop(name, None)
        try:
            with translated(name):
                found = col.spec_of(name, await self.client.get_collection(name))
        except UnknownCollectionError:
            return None
        if found is not None:
            self._specs[name] = found
        return found

    async def read_heads(self, collection: str, documents: Sequence[Document]) -> dict[Document, Head]:
        """See `VectorStore`."""
        with translated(collection):
            records = await self.client.retrieve(collection, [head_id(document) for document in documents])
        heads = [payload.head_from(record.payload or {}) for record in records]
        return {head.document: head for head in heads}

    async def write_heads(self, collection: str, heads: Sequence[Head]) -> None:
        """See `VectorStore`."""
        await self._update(
            collection,
            [_upsert([m.PointStruct(id=h.id, vector={}, payload=payload.of_head(h))], h.version) for h in heads],
        )

    async def note_parts(self, collection: str, notes: Sequence[PartNote]) -> None:
        """See `VectorStore`."""
        await self._update(
            collection,
            [
                _set(f.points([head_id(n.document)], f.exactly(n.version)), {payload.part_key(n.part): list(n.tally)})
                for n in notes
            ],
        )

    async def mark_indexed(self, collection: str, heads: Mapping[Document, Version], indexed_at: int) -> None:
        """See `VectorStore`."""
        await self._update(
            collection,
            [
                _set(f.points([head_id(document)], f.not_indexed_at(version)), {"indexed_at": indexed_at})
                for document, version in heads.items()
            ],
        )

    async def list_points(self, collection: str, documents: Sequence[Document]) -> list[PointState]:
        """See `VectorStore`."""
        where, wanted = f.of_documents([document.doc_id for document in documents]), set(documents)
        states = [
            payload.state_from(record.payload or {})
            async for record in self._scroll(collection, where, list(payload.STATE_KEYS), vectors=False)
        ]
        return [state for state in states if state.document in wanted]

    async def _scroll(
        self, collection: str, where: m.Filter | None, keys: bool | list[str], *, vectors: bool | list[str]
    ) -> AsyncIterator[m.Record]:
        offset: Any = None
        while True:
            with translated(collection):
                records, offset = await self.client.scroll(
                    collection, where, limit=_PAGE, offset=offset, with_payload=keys, with_vectors=vectors
                )
            for record in records:
                yield record
            if offset is None:
                return

    async def count(self, collection: str, document: Document, version: Version) -> int:
        """See `VectorStore`."""
        where = m.Filter(must=[*f.of_document(document), f.exactly(version)])
        with translated(collection):
            return (await self.client.count(collection, where, exact=True)).count

    async def upsert(self, collection: str, passages: Sequence[Passage]) -> None:
        """See `VectorStore`."""
        groups: dict[Version, list[m.PointStruct]] = defaultdict(list)
        for passage in passages:
            groups[passage.attributes.version].append(_point(passage))
        operations = [
            _upsert(group[start : start + _UPSERT_POINTS], version)
            for version, group in groups.items()
            for start in range(0, len(group), _UPSERT_POINTS)
        ]
        await self._update(collection, operations)

    async def bump(self, collection: str, passages: Sequence[Attributes]) -> None:
        """See `VectorStore`."""
        operations = []
        for group in payload.bump_groups(passages):
            first = group[0]
            here = f.points([held.chunk_id for held in group], f.older(first.version), f.language(first.language))
            operations.append(_set(here, payload.of_attributes(first)))
        await self._update(collection, operations)

    async def narrow(self, collection: str, acl: tuple[str, ...], points: Mapping[str, Version]) -> None:
        """See `VectorStore`."""
        groups: dict[Version, list[str]] = defaultdict(list)
        for chunk_id, version in points.items():
            groups[version].append(chunk_id)
        operations = [_set(f.points(ids, f.older(version)), {"acl": list(acl)}) for version, ids in groups.items()]
        await self._update(collection, operations)

    async def delete_older(self, collection: str, cutoffs: Mapping[Document, Version]) -> None:
        """See `VectorStore`."""
        await self._update(
            collection,
            [
                m.DeleteOperation(
                    delete=m.FilterSelector(filter=m.Filter(must=[*f.of_document(document), f.older(version)]))
                )
                for document, version in cutoffs.items()
            ],
        )

    async def sweep_heads(self, collection: str, written_before: int) -> int:
        """See `VectorStore`."""
        where = f.sweepable(written_before)
        with translated(collection):
            found = (await self.client.count(collection, where, exact=True)).count
            if found:
                await self.client.delete(collection, m.FilterSelector(filter=where), wait=True)
        return found

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """See `VectorStore`."""
        with translated(collection):
            found = await self.client.query_points(collection, **f.query(request, self._tuning))
        return [payload.hit_from(point.payload or {}, point.score) for point in found.points]

    async def scan(self, collection: str) -> AsyncIterator[Head | Passage]:
        """See `VectorStore`."""
        async for record in self._scroll(collection, None, True, vectors=True):
            yield _from(record)

    async def examine(self, collection: str) -> AsyncIterator[Held]:
        """See `VectorStore`."""
        async for record in self._scroll(collection, None, True, vectors=[payload.DENSE]):
            yield _held(record)

    async def examine_some(self, collection: str, doc_ids: Sequence[str], point_ids: Sequence[str]) -> list[Held]:
        """See `VectorStore`."""
        where = f.claimed(doc_ids, point_ids)
        return [_held(record) async for record in self._scroll(collection, where, True, vectors=[payload.DENSE])]

    async def point_count(self, collection: str) -> int:
        """See `VectorStore`."""
        with translated(collection):
            return (await self.client.count(collection, exact=True)).count

    async def maintain(self) -> None:
        """Nothing to do: the server optimises by itself."""

    async def close(self) -> None:
        """See `VectorStore`."""
        await self.client.close()


@contextmanager
def translated(collection: str) -> Iterator[None]:
    """Turn what the client raises into the port's errors; anything else is a bug and passes."""
    try:
        yield
    except (ResponseHandlingException, httpx.TransportError) as error:
        raise StoreUnavailableError(f"vector store: {error}") from error
    except UnexpectedResponse as error:
        if error.status_code == _NOT_FOUND:
            raise UnknownCollectionError(f"collection {collection} does not exist") from error
        if error.status_code in _BUSY:
            raise StoreUnavailableError(f"vector store: HTTP {error.status_code}") from error
        raise
    except ValueError as error:
        missing = _MISSING.match(str(error))
        if missing:
            raise UnknownCollectionError(f"collection {missing[1]} does not exist") from error
        raise


def _upsert(points: list[m.PointStruct], version: Version) -> m.UpsertOperation:
    return m.UpsertOperation(upsert=m.PointsList(points=points, update_filter=f.older(version)))


def _set(where: m.Filter, values: payload.Payload) -> m.SetPayloadOperation:
    return m.SetPayloadOperation(set_payload=m.SetPayload(payload=values, filter=where))


def _point(passage: Passage) -> m.PointStruct:
    held = passage.attributes
    words = encode_passage(passage.text, held.language)
    vectors: dict[str, Any] = {payload.DENSE: passage.dense.tolist(), payload.LEXICAL: f.sparse(words)}
    return m.PointStruct(
        id=held.chunk_id, vector=vectors, payload=payload.of_passage(held, passage.text, passage.model)
    )


def _from(record: m.Record) -> Head | Passage:
    held = record.payload or {}
    if held["kind"] == payload.HEAD:
        return payload.head_from(held)
    vectors: Any = record.vector
    return Passage(
        attributes=payload.attributes_from(held),
        text=held["text"],
        dense=np.asarray(vectors[payload.DENSE], dtype=np.float32),
        model=held.get("model", ""),
    )


def _held(record: m.Record) -> Held:
    vectors: Any = record.vector or {}
    return held_from(str(record.id), record.payload or {}, vectors.get(payload.DENSE))
