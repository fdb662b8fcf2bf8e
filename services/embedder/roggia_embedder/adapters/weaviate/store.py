"""A `VectorStore` on Weaviate: one writer, whose guard is to read and compare before it writes (see `lease`)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

from roggia_runtime.clock import now_ms
from roggia_schemas.names import Version

from roggia_embedder.adapters import payload
from roggia_embedder.adapters.fusion import Ranking, fuse, ranked
from roggia_embedder.adapters.held import held_from
from roggia_embedder.adapters.memory import visible
from roggia_embedder.adapters.weaviate import filters as f
from roggia_embedder.adapters.weaviate import forms
from roggia_embedder.adapters.weaviate.client import MOST, Client, Json
from roggia_embedder.adapters.weaviate.forms import Point
from roggia_embedder.adapters.weaviate.lease import Lease
from roggia_embedder.adapters.weaviate.state import State
from roggia_embedder.errors import ModelMismatchError, StoreUnusableError, UnknownCollectionError
from roggia_embedder.ports import (
    Attributes,
    CollectionSpec,
    Document,
    Head,
    Hit,
    Matrix,
    PartNote,
    Passage,
    PointState,
    SearchRequest,
    SparseVector,
    head_id,
)
from roggia_embedder.ports.held import Held
from roggia_embedder.tuning import TUNING, IndexTuning

_K = TypeVar("_K", str, Document)
Scored: TypeAlias = list[tuple[Point, float]]
_BATCH: Final = 200
_PAGE: Final = 500
_BODY: Final = "payload text _additional { id }"
_WHOLE: Final = "payload text _additional { id vectors { dense } }"


class WeaviateStore:
    """Raises `StoreUnavailableError` from every write while another process is the writer. `clock` gives ms, UTC."""

    def __init__(self, client: Client, tuning: IndexTuning = TUNING, clock: Callable[[], int] = now_ms) -> None:
        self.client = client
        self.state = State(client)
        self.lease = Lease(self.state, clock)
        self._tuning = tuning
        self._specs: dict[str, CollectionSpec] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def connect(cls, url: str, key: str | None = None, tuning: IndexTuning = TUNING) -> WeaviateStore:
        """A store at an HTTP URL."""
        return cls(Client(url, key), tuning)

    async def ensure_collection(self, spec: CollectionSpec) -> None:
        """See `VectorStore`."""
        name = forms.class_name(spec.name)
        held = await self.client.definition(name)
        if held is None:
            await self.lease.hold()
            await self.client.create(forms.definition(spec, self._tuning))
            held = await self.client.definition(name)
        found = forms.spec_of(held) if held else None
        if found != spec:
            self._specs.pop(spec.name, None)
            raise ModelMismatchError(spec.name, found.model if found else "(no description)", spec.model)

    async def drop_collection(self, name: str) -> None:
        """See `VectorStore`."""
        await self.lease.hold()
        await self.client.drop(forms.class_name(name))
        self._specs.pop(name, None)

    async def collections(self) -> Sequence[CollectionSpec]:
        """See `VectorStore`."""
        specs = [spec for spec in map(forms.spec_of, await self.client.classes()) if spec is not None]
        self._specs = {spec.name: spec for spec in specs}
        return sorted(specs, key=lambda spec: spec.name)

    async def spec(self, name: str, *, fresh: bool = False) -> CollectionSpec | None:
        """See `VectorStore`. Remembered: a class keeps its meaning while it lives; of one that was made anew the
        passages say that they are another model's."""
        if name in self._specs and not fresh:
            return self._specs[name]
        self._specs.pop(name, None)
        held = await self.client.definition(forms.class_name(name))
        found = forms.spec_of(held) if held else None
        if found is not None:
            self._specs[name] = found
        return found

    async def read_heads(self, collection: str, documents: Sequence[Document]) -> dict[Document, Head]:
        """See `VectorStore`."""
        held = await self._read(collection, [head_id(document) for document in documents], _BODY)
        heads = [payload.head_from(point.payload) for point in held.values()]
        return {head.document: head for head in heads}

    async def write_heads(self, collection: str, heads: Sequence[Head]) -> None:
        """See `VectorStore`."""
        await self._write_newer(collection, [forms.of_head(head) for head in heads])

    async def note_parts(self, collection: str, notes: Sequence[PartNote]) -> None:
        """See `VectorStore`."""

        def noted(held: Mapping[str, Point]) -> Iterable[Point]:
            changed = dict(held)
            for note in notes:
                head = changed.get(head_id(note.document))
                if head and head.version == note.version:
                    changed[head.id] = head.changed(**{payload.part_key(note.part): list(note.tally)})
            return changed.values()

        await self._change(collection, [head_id(note.document) for note in notes], noted)

    async def mark_indexed(self, collection: str, heads: Mapping[Document, Version], indexed_at: int) -> None:
        """See `VectorStore`."""
        versions = {head_id(document): version for document, version in heads.items()}

        def marked(held: Mapping[str, Point]) -> Iterable[Point]:
            for key, head in held.items():
                if head.version == versions[key] and "indexed_at" not in head.payload:
                    yield head.changed(indexed_at=indexed_at)

        await self._change(collection, list(versions), marked)

    async def list_points(self, collection: str, documents: Sequence[Document]) -> list[PointState]:
        """See `VectorStore`. Raises `StoreUnusableError` for a document of more passages than a query answers with."""
        rows = await self._listed(collection, documents, f.passages_of, "payload _additional { id }")
        return [payload.state_from(_point(row).payload) for row in rows]

    async def _listed(
        self, collection: str, keys: Sequence[_K], where: Callable[[Sequence[_K]], Json], fields: str
    ) -> list[Json]:
        """Everything that belongs to the keys: a query that may have left something out is asked again in halves."""
        rows: list[Json] = []
        for start in range(0, len(keys), _BATCH):
            asked = keys[start : start + _BATCH]
            found = await self._rows(collection, {"where": where(asked), "limit": MOST}, fields)
            if len(found) < MOST:
                rows += found
                continue
            if len(asked) == 1:
                raise StoreUnusableError(f"{collection}: {asked[0]} has {MOST} points or more; Weaviate lists fewer")
            for half in (asked[: len(asked) // 2], asked[len(asked) // 2 :]):
                rows += await self._listed(collection, half, where, fields)
        return rows

    async def count(self, collection: str, document: Document, version: Version) -> int:
        """See `VectorStore`."""
        exact = (f.equal("revision", version.revision), f.equal("epoch", version.epoch))
        return await self._count(collection, f.every(f.passages_of([document]), *exact))

    async def upsert(self, collection: str, passages: Sequence[Passage]) -> None:
        """See `VectorStore`."""
        for start in range(0, len(passages), _BATCH):
            await self._write_newer(collection, list(map(forms.of_passage, passages[start : start + _BATCH])))

    async def bump(self, collection: str, passages: Sequence[Attributes]) -> None:
        """See `VectorStore`."""
        new = {held.chunk_id: held for held in passages}

        def bumped(held: Mapping[str, Point]) -> Iterable[Point]:
            for key, old in held.items():
                if old.version < new[key].version and old.payload.get("lang") == new[key].language:
                    yield forms.bumped(old, new[key])

        await self._change(collection, list(new), bumped)

    async def narrow(self, collection: str, acl: tuple[str, ...], points: Mapping[str, Version]) -> None:
        """See `VectorStore`."""

        def narrowed(held: Mapping[str, Point]) -> Iterable[Point]:
            return (old.changed(acl=list(acl)) for key, old in held.items() if old.version < points[key])

        await self._change(collection, list(points), narrowed)

    async def delete_older(self, collection: str, cutoffs: Mapping[Document, Version]) -> None:
        """See `VectorStore`. Here the guard is the server's: the version is part of what is to be deleted."""
        async with self._writing(collection) as name:
            for document, version in cutoffs.items():
                await self.client.delete(name, f.every(f.passages_of([document]), f.older(version)))

    async def sweep_heads(self, collection: str, written_before: int) -> int:
        """See `VectorStore`."""
        due = (f.below("deleted_at", written_before), f.below("indexed_at", forms.NEVER))
        async with self._writing(collection) as name:
            return await self.client.delete(name, f.every(f.equal("kind", payload.HEAD), *due))

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """See `VectorStore`: a query for each branch, fused here, and looked through once more."""
        both = request.dense is not None and request.lexical is not None
        limit = max(request.k, request.candidates) if both else request.k
        branches = []
        if request.dense is not None:
            dense = self._compared if request.exact else self._nearest
            branches.append(await dense(collection, request, request.dense, limit))
        if request.lexical is not None:
            branches.append(await self._worded(collection, request, request.lexical, limit))
        seen = [[(p, s) for p, s in branch if _seen(p, request)] for branch in branches]
        found = {point.id: point for branch in seen for point, _ in branch}
        rankings = [ranked([(point.id, score) for point, score in branch]) for branch in seen]
        return [payload.hit_from(found[key].payload, score) for key, score in fuse(rankings)[: request.k]]

    async def _nearest(self, collection: str, request: SearchRequest, dense: Matrix, limit: int) -> Scored:
        near = {"vector": dense.tolist(), "targetVectors": ["dense"]}
        arguments = {"nearVector": near, "where": f.visible(request), "limit": limit}
        rows = await self._rows(collection, arguments, "payload text _additional { id distance }")
        return [(_point(row), 1 - float(row["_additional"]["distance"])) for row in rows]

    async def _worded(self, collection: str, request: SearchRequest, lexical: SparseVector, limit: int) -> Scored:
        words = {"query": " ".join(map(str, lexical.indices.tolist())), "properties": ["words"]}
        arguments = {"bm25": words, "where": f.visible(request), "limit": limit}
        rows = await self._rows(collection, arguments, "payload text _additional { id score }")
        return [(_point(row), float(row["_additional"]["score"])) for row in rows]

    async def _compared(self, collection: str, request: SearchRequest, dense: Matrix, limit: int) -> Scored:
        """Every passage, read and compared here: Weaviate has no query that leaves its graph aside, and lists what
        matches a filter only so far (`MOST`). The best are read again, since the first of them may be minutes old."""
        best: Ranking = []
        async for point in self._scroll(collection):
            passage = point.payload.get("kind") == payload.PASSAGE
            if passage and point.dense is not None and _seen(point, request):
                best.append((point.id, float(point.dense @ dense)))
            if len(best) >= limit + _PAGE:
                best = ranked(best)[:limit]
        scores = dict(ranked(best)[:limit])
        held = await self._read(collection, list(scores), _BODY)
        return [(point, scores[key]) for key, point in held.items()]

    async def scan(self, collection: str) -> AsyncIterator[Head | Passage]:
        """See `VectorStore`."""
        async for point in self._scroll(collection):
            yield payload.head_from(point.payload) if point.head else forms.passage_of(point)

    async def examine(self, collection: str) -> AsyncIterator[Held]:
        """See `VectorStore`."""
        async for point in self._scroll(collection):
            yield _held(point)

    async def _scroll(self, collection: str) -> AsyncIterator[Point]:
        name, after = await self._existing(collection), ""
        while True:
            page = await self.client.page(name, after, _PAGE)
            for one in page:
                yield forms.from_object(one["id"], one["properties"], one.get("vectors"))
            if len(page) < _PAGE:
                return
            after = page[-1]["id"]

    async def examine_some(self, collection: str, doc_ids: Sequence[str], point_ids: Sequence[str]) -> list[Held]:
        """See `VectorStore`."""
        found = await self._read(collection, point_ids, _WHOLE)
        rows = await self._listed(collection, doc_ids, f.claiming, _WHOLE)
        found |= {point.id: point for point in map(_point, rows)}
        return list(map(_held, found.values()))

    async def point_count(self, collection: str) -> int:
        """See `VectorStore`."""
        return await self._count(collection)

    async def maintain(self) -> None:
        """See `VectorStore`: keeps this process the writer, if it is."""
        await self.lease.keep()

    async def close(self) -> None:
        """See `VectorStore`."""
        try:
            await self.lease.release()
        finally:
            await self.client.close()

    async def _existing(self, collection: str) -> str:
        name = forms.class_name(collection)
        if await self.client.definition(name) is None:
            raise UnknownCollectionError(f"collection {collection} does not exist")
        return name

    @asynccontextmanager
    async def _writing(self, collection: str) -> AsyncIterator[str]:
        """The turn to write to a collection: nothing else of this process, and no other process, writes meanwhile."""
        async with self._turns[collection]:
            await self.lease.hold()
            yield await self._existing(collection)  # a batch would make a class that is missing

    async def _rows(self, collection: str, arguments: Json, fields: str) -> list[Json]:
        name = forms.class_name(collection)
        try:
            return await self.client.query(name, f.get(name, arguments, fields))
        except UnknownCollectionError:
            raise UnknownCollectionError(f"collection {collection} does not exist") from None

    async def _count(self, collection: str, where: Json | None = None) -> int:
        name = forms.class_name(collection)
        try:
            rows = await self.client.query(name, f.count(name, where), "Aggregate")
        except UnknownCollectionError:
            raise UnknownCollectionError(f"collection {collection} does not exist") from None
        return int(rows[0]["meta"]["count"]) if rows else 0

    async def _read(self, collection: str, ids: Sequence[str], fields: str) -> dict[str, Point]:
        found: dict[str, Point] = {}
        for start in range(0, len(ids), _BATCH):
            wanted = {"where": f.any_of("id", ids[start : start + _BATCH]), "limit": _BATCH}
            found |= {point.id: point for point in map(_point, await self._rows(collection, wanted, fields))}
        return found

    async def _write_newer(self, collection: str, points: Sequence[Point]) -> None:
        async with self._writing(collection) as name:
            held = await self._read(collection, [point.id for point in points], _BODY)
            new = [point for point in points if point.id not in held or held[point.id].version < point.version]
            await self._put(name, new)

    async def _change(
        self, collection: str, ids: Sequence[str], change: Callable[[Mapping[str, Point]], Iterable[Point]]
    ) -> None:
        """Read points as a whole, write those that `change` returns different."""
        async with self._writing(collection) as name:
            held = await self._read(collection, ids, _WHOLE)
            await self._put(name, [point for point in change(held) if point is not held[point.id]])

    async def _put(self, name: str, points: Sequence[Point]) -> None:
        for start in range(0, len(points), _BATCH):
            await self.client.put([forms.to_object(name, point) for point in points[start : start + _BATCH]])


def _point(row: Json) -> Point:
    said: Any = row["_additional"]
    return forms.from_object(said["id"], row, said.get("vectors"))


def _held(point: Point) -> Held:
    return held_from(point.id, point.payload, None if point.dense is None else point.dense.tolist())


def _seen(point: Point, request: SearchRequest) -> bool:
    return visible(payload.attributes_from(point.payload), request)
