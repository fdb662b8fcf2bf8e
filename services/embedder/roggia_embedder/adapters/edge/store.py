"""A `VectorStore` on Qdrant Edge. One process at a time; blocking engine calls run in the store's own threads."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import qdrant_edge as qe
from roggia_schemas.names import Version

from roggia_embedder.adapters import payload
from roggia_embedder.adapters.edge import operations as op
from roggia_embedder.adapters.edge.files import Shards
from roggia_embedder.adapters.held import held_from
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
_T = TypeVar("_T")


class EdgeStore:
    """Shards under one directory. A write is in the engine's log before its call returns, so kill -9 keeps it;
    `maintain` makes it survive a power cut too and must be called now and then. Raises `StoreLockedError` at once when
    another process has the directory."""

    def __init__(self, root: Path, tuning: IndexTuning = TUNING, threads: int = 4) -> None:
        self._tuning = tuning
        self._shards = Shards(root, tuning)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="edge")

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def _apply(self, collection: str, updates: Sequence[qe.UpdateOperation]) -> None:
        shard = self._shards.get(collection)

        def work() -> None:
            for update in updates:
                shard.update(update)

        await self._run(work)

    async def ensure_collection(self, spec: CollectionSpec) -> None:
        """See `VectorStore`."""
        await self._run(lambda: self._shards.ensure(spec))

    async def drop_collection(self, name: str) -> None:
        """See `VectorStore`."""
        await self._run(lambda: self._shards.drop(name))

    async def collections(self) -> Sequence[CollectionSpec]:
        """See `VectorStore`."""
        return self._shards.specs()

    async def spec(self, name: str, *, fresh: bool = False) -> CollectionSpec | None:  # noqa: ARG002  # always fresh
        """See `VectorStore`."""
        return self._shards.spec(name)

    async def read_heads(self, collection: str, documents: Sequence[Document]) -> dict[Document, Head]:
        """See `VectorStore`."""
        shard = self._shards.get(collection)
        records = await self._run(lambda: shard.retrieve(op.head_ids(documents), True, False))
        heads = [payload.head_from(record.payload) for record in records]
        return {head.document: head for head in heads}

    async def write_heads(self, collection: str, heads: Sequence[Head]) -> None:
        """See `VectorStore`."""
        await self._apply(collection, [op.write_head(head) for head in heads])

    async def note_parts(self, collection: str, notes: Sequence[PartNote]) -> None:
        """See `VectorStore`."""
        await self._apply(
            collection,
            [
                op.set_where([head_id(n.document)], op.exactly(n.version), {payload.part_key(n.part): list(n.tally)})
                for n in notes
            ],
        )

    async def mark_indexed(self, collection: str, heads: Mapping[Document, Version], indexed_at: int) -> None:
        """See `VectorStore`."""
        await self._apply(
            collection,
            [
                op.set_where([head_id(document)], op.not_indexed_at(version), {"indexed_at": indexed_at})
                for document, version in heads.items()
            ],
        )

    async def list_points(self, collection: str, documents: Sequence[Document]) -> list[PointState]:
        """See `VectorStore`."""
        shard, wanted = self._shards.get(collection), set(documents)
        where = op.of_documents([document.doc_id for document in documents])
        records = await self._run(lambda: list(_scroll(shard, where, list(payload.STATE_KEYS))))
        states = [payload.state_from(record.payload) for record in records]
        return [state for state in states if state.document in wanted]

    async def count(self, collection: str, document: Document, version: Version) -> int:
        """See `VectorStore`."""
        shard = self._shards.get(collection)
        where = qe.Filter(must=[*op.of_document(document), op.exactly(version)])
        return await self._run(lambda: int(shard.count(qe.CountRequest(exact=True, filter=where))))

    async def upsert(self, collection: str, passages: Sequence[Passage]) -> None:
        """See `VectorStore`."""
        groups: dict[Version, list[Passage]] = defaultdict(list)
        for passage in passages:
            groups[passage.attributes.version].append(passage)
        shard = self._shards.get(collection)

        def work() -> None:
            for version, group in groups.items():
                for start in range(0, len(group), _PAGE):
                    shard.update(op.upsert(group[start : start + _PAGE], version))

        await self._run(work)

    async def bump(self, collection: str, passages: Sequence[Attributes]) -> None:
        """See `VectorStore`."""
        await self._apply(collection, [op.bump(group) for group in payload.bump_groups(passages)])

    async def narrow(self, collection: str, acl: tuple[str, ...], points: Mapping[str, Version]) -> None:
        """See `VectorStore`."""
        groups: dict[Version, list[str]] = defaultdict(list)
        for chunk_id, version in points.items():
            groups[version].append(chunk_id)
        await self._apply(
            collection, [op.set_where(ids, op.older(version), {"acl": list(acl)}) for version, ids in groups.items()]
        )

    async def delete_older(self, collection: str, cutoffs: Mapping[Document, Version]) -> None:
        """See `VectorStore`."""
        await self._apply(collection, [op.delete_older(document, version) for document, version in cutoffs.items()])

    async def sweep_heads(self, collection: str, written_before: int) -> int:
        """See `VectorStore`."""
        shard, where = self._shards.get(collection), op.sweepable(written_before)

        def work() -> int:
            found = int(shard.count(qe.CountRequest(exact=True, filter=where)))
            if found:
                shard.update(qe.UpdateOperation.delete_points_by_filter(where))
            return found

        return await self._run(work)

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """See `VectorStore`."""
        shard = self._shards.get(collection)
        found = await self._run(lambda: shard.query(op.query(request, self._tuning)))
        return [payload.hit_from(point.payload, point.score) for point in found]

    async def scan(self, collection: str) -> AsyncIterator[Head | Passage]:
        """See `VectorStore`."""
        shard, offset = self._shards.get(collection), None
        while True:
            request = qe.ScrollRequest(offset=offset, limit=_PAGE, with_payload=True, with_vector=True)
            records, offset = await self._run(lambda request=request: shard.scroll(request))  # type: ignore[misc]
            for record in records:
                yield _from(record)
            if offset is None:
                return

    async def examine(self, collection: str) -> AsyncIterator[Held]:
        """See `VectorStore`."""
        shard, offset = self._shards.get(collection), None
        while True:
            request = qe.ScrollRequest(offset=offset, limit=_PAGE, with_payload=True, with_vector=[payload.DENSE])

            def page(request: Any = request) -> tuple[list[Held], Any]:
                records, following = shard.scroll(request)
                return [_held(record) for record in records], following

            points, offset = await self._run(page)
            for point in points:
                yield point
            if offset is None:
                return

    async def examine_some(self, collection: str, doc_ids: Sequence[str], point_ids: Sequence[str]) -> list[Held]:
        """See `VectorStore`."""
        shard, where = self._shards.get(collection), op.claimed(doc_ids, point_ids)
        return await self._run(lambda: [_held(r) for r in _scroll(shard, where, True, [payload.DENSE])])

    async def point_count(self, collection: str) -> int:
        """See `VectorStore`."""
        shard = self._shards.get(collection)
        return await self._run(lambda: int(shard.count(qe.CountRequest(exact=True))))

    async def maintain(self) -> None:
        """See `VectorStore`: flushes every shard to disk, optimises those that have grown past the threshold."""
        await self._run(self._shards.maintain)

    async def close(self) -> None:
        """See `VectorStore`."""
        await self._run(self._shards.close)
        self._pool.shutdown()


def _scroll(shard: Any, where: qe.Filter, keys: bool | list[str], vectors: bool | list[str] = False) -> Any:
    offset = None
    while True:
        request = qe.ScrollRequest(offset=offset, limit=_PAGE, filter=where, with_payload=keys, with_vector=vectors)
        records, offset = shard.scroll(request)
        yield from records
        if offset is None:
            return


def _from(record: Any) -> Head | Passage:
    if record.payload["kind"] == payload.HEAD:
        return payload.head_from(record.payload)
    return Passage(
        attributes=payload.attributes_from(record.payload),
        text=record.payload["text"],
        dense=np.asarray(record.vector[payload.DENSE], dtype=np.float32),
        model=record.payload.get("model", ""),
    )


def _held(record: Any) -> Held:
    return held_from(str(record.id), record.payload or {}, (record.vector or {}).get(payload.DENSE))
