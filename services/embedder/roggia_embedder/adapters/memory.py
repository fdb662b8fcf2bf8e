"""Store and catalogue in memory: the reference that the other stores are compared with, and a fake for tests.

Everything is exact and brute force; nothing survives the process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from roggia_schemas.names import Version, alias_name

from roggia_embedder.adapters.fusion import Ranking, fuse, ranked
from roggia_embedder.errors import ModelMismatchError, UnknownCollectionError
from roggia_embedder.lexical import encode_passage
from roggia_embedder.ports import (
    Attributes,
    CollectionSpec,
    Document,
    Head,
    Hit,
    IndexBinding,
    PartNote,
    Passage,
    PointState,
    SearchRequest,
    SparseVector,
)
from roggia_embedder.ports.held import Held, HeldHead, HeldPassage


@dataclass(slots=True)
class _Stored:
    passage: Passage
    since: Version


class _Collection:
    def __init__(self, spec: CollectionSpec) -> None:
        self.spec = spec
        self.heads: dict[Document, Head] = {}
        self.points: dict[str, _Stored] = {}

    def remove(self, condemned: Callable[[Attributes], bool]) -> None:
        self.points = {key: point for key, point in self.points.items() if not condemned(point.passage.attributes)}


class MemoryStore:
    """A `VectorStore` of dictionaries."""

    def __init__(self) -> None:
        self._collections: dict[str, _Collection] = {}

    def _at(self, name: str) -> _Collection:
        try:
            return self._collections[name]
        except KeyError:
            raise UnknownCollectionError(f"collection {name} does not exist") from None

    async def ensure_collection(self, spec: CollectionSpec) -> None:
        """See `VectorStore`."""
        held = self._collections.setdefault(spec.name, _Collection(spec)).spec
        if held != spec:
            raise ModelMismatchError(spec.name, held.model, spec.model)

    async def drop_collection(self, name: str) -> None:
        """See `VectorStore`."""
        self._collections.pop(name, None)

    async def collections(self) -> Sequence[CollectionSpec]:
        """See `VectorStore`."""
        return [self._collections[name].spec for name in sorted(self._collections)]

    async def spec(self, name: str, *, fresh: bool = False) -> CollectionSpec | None:  # noqa: ARG002  # always fresh
        """See `VectorStore`."""
        held = self._collections.get(name)
        return None if held is None else held.spec

    async def read_heads(self, collection: str, documents: Sequence[Document]) -> dict[Document, Head]:
        """See `VectorStore`."""
        heads = self._at(collection).heads
        return {document: heads[document] for document in documents if document in heads}

    async def write_heads(self, collection: str, heads: Sequence[Head]) -> None:
        """See `VectorStore`."""
        held = self._at(collection).heads
        for head in heads:
            if head.document not in held or held[head.document].version < head.version:
                held[head.document] = head

    async def note_parts(self, collection: str, notes: Sequence[PartNote]) -> None:
        """See `VectorStore`."""
        heads = self._at(collection).heads
        for note in notes:
            head = heads.get(note.document)
            if head and head.version == note.version:
                heads[note.document] = replace(head, tallies={**head.tallies, note.part: note.tally})

    async def mark_indexed(self, collection: str, heads: Mapping[Document, Version], indexed_at: int) -> None:
        """See `VectorStore`."""
        held = self._at(collection).heads
        for document, version in heads.items():
            head = held.get(document)
            if head and head.version == version and head.indexed_at is None:
                held[document] = replace(head, indexed_at=indexed_at)

    async def list_points(self, collection: str, documents: Sequence[Document]) -> list[PointState]:
        """See `VectorStore`."""
        wanted = set(documents)
        return [
            _state(key, point)
            for key, point in self._at(collection).points.items()
            if point.passage.attributes.document in wanted
        ]

    async def count(self, collection: str, document: Document, version: Version) -> int:
        """See `VectorStore`."""
        states = await self.list_points(collection, [document])
        return sum(state.version == version for state in states)

    async def upsert(self, collection: str, passages: Sequence[Passage]) -> None:
        """See `VectorStore`."""
        points = self._at(collection).points
        for passage in passages:
            new = passage.attributes
            held = points.get(new.chunk_id)
            if held is None or held.passage.attributes.version < new.version:
                points[new.chunk_id] = _Stored(passage, new.version)

    async def bump(self, collection: str, passages: Sequence[Attributes]) -> None:
        """See `VectorStore`."""
        points = self._at(collection).points
        for new in passages:
            held = points.get(new.chunk_id)
            if held is None:
                continue
            old = held.passage.attributes
            if old.version < new.version and old.language == new.language:
                points[new.chunk_id] = _Stored(replace(held.passage, attributes=new), held.since)

    async def narrow(self, collection: str, acl: tuple[str, ...], points: Mapping[str, Version]) -> None:
        """See `VectorStore`."""
        held = self._at(collection).points
        for chunk_id, version in points.items():
            point = held.get(chunk_id)
            if point and point.passage.attributes.version < version:
                attributes = replace(point.passage.attributes, acl=acl)
                held[chunk_id] = _Stored(replace(point.passage, attributes=attributes), point.since)

    async def delete_older(self, collection: str, cutoffs: Mapping[Document, Version]) -> None:
        """See `VectorStore`."""
        self._at(collection).remove(lambda a: a.document in cutoffs and a.version < cutoffs[a.document])

    async def sweep_heads(self, collection: str, written_before: int) -> int:
        """See `VectorStore`."""
        heads = self._at(collection).heads
        gone = [
            document
            for document, head in heads.items()
            if head.deleted and head.indexed_at is not None and head.written_at < written_before
        ]
        for document in gone:
            del heads[document]
        return len(gone)

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """See `VectorStore`."""
        points = [p.passage for p in self._at(collection).points.values() if visible(p.passage.attributes, request)]
        rankings = []
        if request.dense is not None:
            rankings.append(_rank(points, [float(point.dense @ request.dense) for point in points]))
        if request.lexical is not None:
            held = [point.passage for point in self._at(collection).points.values()]
            rankings.append(_rank(points, _bm25(points, held, request.lexical), floor=0.0))
        scored = fuse([ranking[: request.candidates] for ranking in rankings] if len(rankings) > 1 else rankings)
        by_id = {point.attributes.chunk_id: point for point in points}
        return [_hit(by_id[key], score) for key, score in scored[: request.k]]

    async def scan(self, collection: str) -> AsyncIterator[Head | Passage]:
        """See `VectorStore`."""
        held = self._at(collection)
        for head in list(held.heads.values()):
            yield head
        for point in list(held.points.values()):
            yield point.passage

    async def examine(self, collection: str) -> AsyncIterator[Held]:
        """See `VectorStore`."""
        for point in list(_held(self._at(collection))):
            yield point

    async def examine_some(self, collection: str, doc_ids: Sequence[str], point_ids: Sequence[str]) -> list[Held]:
        """See `VectorStore`."""
        documents, ids = set(doc_ids), set(point_ids)
        return [
            point for point in _held(self._at(collection)) if point.point_id in ids or _owner(point).doc_id in documents
        ]

    async def point_count(self, collection: str) -> int:
        """See `VectorStore`."""
        held = self._at(collection)
        return len(held.heads) + len(held.points)

    async def maintain(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to release."""


class MemoryCatalogue:
    """An `IndexCatalogue` of one dictionary."""

    def __init__(self) -> None:
        self._bindings: dict[str, IndexBinding] = {}

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """See `IndexCatalogue`."""
        return self._bindings.get(alias_name(tenant_id, domain))

    async def bind(self, binding: IndexBinding) -> None:
        """See `IndexCatalogue`."""
        await self.switch([binding])

    async def switch(self, bindings: Sequence[IndexBinding]) -> None:
        """See `IndexCatalogue`."""
        self._bindings |= {binding.alias: binding for binding in bindings}

    async def unbind(self, alias: str) -> None:
        """See `IndexCatalogue`."""
        self._bindings.pop(alias, None)

    async def bindings(self) -> Sequence[IndexBinding]:
        """See `IndexCatalogue`."""
        return [self._bindings[alias] for alias in sorted(self._bindings)]


def visible(passage: Attributes, request: SearchRequest) -> bool:
    """What every store's filter must amount to."""
    filters = request.filters
    return (
        passage.document.tenant_id == request.tenant_id
        and not {"*", *request.groups}.isdisjoint(passage.acl)
        and (passage.expires_at is None or passage.expires_at > request.now_ms)
        and (filters.language is None or passage.language == filters.language)
        and (filters.source is None or passage.source == filters.source)
        and all(passage.metadata.get(key) == value for key, value in filters.metadata.items())
    )


def _held(collection: _Collection) -> Iterator[Held]:
    for head in collection.heads.values():
        yield HeldHead(head.id, head)
    for chunk_id, stored in collection.points.items():
        passage = stored.passage
        finite = bool(np.isfinite(passage.dense).all())
        yield HeldPassage(
            point_id=chunk_id,
            attributes=passage.attributes,
            text=passage.text,
            model=passage.model,
            dimension=len(passage.dense) if finite else 0,
            well_formed=passage.attributes.chunk_id == chunk_id,
        )


def _owner(point: Held) -> Document:
    return point.head.document if isinstance(point, HeldHead) else point.attributes.document


def _state(chunk_id: str, point: _Stored) -> PointState:
    held = point.passage.attributes
    return PointState(chunk_id, held.document, held.version, point.since, held.acl, held.language)


def _rank(points: Sequence[Passage], scores: Sequence[float], floor: float | None = None) -> Ranking:
    pairs = [(p.attributes.chunk_id, s) for p, s in zip(points, scores, strict=True) if floor is None or s > floor]
    return ranked(pairs)


def _bm25(points: Sequence[Passage], corpus: Sequence[Passage], query: SparseVector) -> list[float]:
    terms = {passage.attributes.chunk_id: _terms(passage) for passage in corpus}
    frequency = [sum(term in held for held in terms.values()) for term in query.indices.tolist()]
    idf = [np.log(1 + (len(corpus) - n + 0.5) / (n + 0.5)) for n in frequency]
    weights = dict(zip(query.indices.tolist(), (np.asarray(idf) * query.values).tolist(), strict=True))
    return [sum(weights.get(t, 0.0) * w for t, w in terms[p.attributes.chunk_id].items()) for p in points]


def _terms(passage: Passage) -> dict[int, float]:
    vector = encode_passage(passage.text, passage.attributes.language)
    return dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))


def _hit(passage: Passage, score: float) -> Hit:
    held = passage.attributes
    return Hit(
        chunk_id=held.chunk_id,
        doc_id=held.document.doc_id,
        score=score,
        text=passage.text,
        title=held.title,
        heading_path=held.heading_path,
        source=held.source,
        language=held.language,
        version=held.version,
        metadata=held.metadata,
        model=passage.model,
    )
