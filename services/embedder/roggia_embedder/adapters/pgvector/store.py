"""A `VectorStore` on PostgreSQL with pgvector."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import numpy as np
from roggia_schemas.names import Version

from roggia_embedder.adapters import payload
from roggia_embedder.adapters.held import held_from as point_held_from
from roggia_embedder.adapters.pgvector import indexes, rows
from roggia_embedder.adapters.pgvector import statements as sql
from roggia_embedder.adapters.pgvector.database import SELECT, Database, held_from
from roggia_embedder.adapters.pgvector.schema import SCHEMA, creation, removal
from roggia_embedder.adapters.pgvector.searching import Search
from roggia_embedder.adapters.pgvector.text import stored
from roggia_embedder.errors import ModelMismatchError, UnknownCollectionError
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


class PgvectorStore:
    """A write returns once its transaction is committed to PostgreSQL's log. Rows are locked in the order of their ids,
    so that two writers take turns; where they meet all the same, one is told to try again (`StoreUnavailableError`)."""

    def __init__(self, database: Database, tuning: IndexTuning = TUNING) -> None:
        indexes.check(tuning)
        self.database = database
        self._tuning = tuning

    @classmethod
    def connect(cls, url: str, password: str | None = None, tuning: IndexTuning = TUNING) -> PgvectorStore:
        """A store at `postgresql://…`; it connects when it is first used. Raises `StoreUnusableError` for a tuning
        that pgvector does not have."""
        return cls(Database(url, password), tuning)

    async def ensure_collection(self, spec: CollectionSpec) -> None:
        """See `VectorStore`."""
        async with self.database.changing_tables() as connection:
            row = await connection.fetchrow(f"{SELECT} WHERE name = $1", spec.name)
            if row is None:
                number = await connection.fetchval(
                    f"INSERT INTO {SCHEMA}.collections (name, generation, model, dimension) VALUES ($1, $2, $3, $4) "
                    "RETURNING number",
                    *(spec.name, spec.generation, spec.model, spec.dimension),
                )
                await connection.execute(creation(number, spec.dimension))
        if row is not None and held_from(row).spec != spec:
            raise ModelMismatchError(spec.name, row["model"], spec.model)

    async def drop_collection(self, name: str) -> None:
        """See `VectorStore`: the tables' files are gone when this returns, and their space with them."""
        async with self.database.changing_tables() as connection:
            number = await connection.fetchval(
                f"DELETE FROM {SCHEMA}.collections WHERE name = $1 RETURNING number",
                name,
            )
            if number is not None:
                await connection.execute(removal(number))
        self.database.forget(name)  # not before: a query might look it up once more

    async def collections(self) -> Sequence[CollectionSpec]:
        """See `VectorStore`."""
        async with self.database.session() as connection:
            found = await connection.fetch(f'{SELECT} ORDER BY name COLLATE "C"')
        return [held_from(row).spec for row in found]

    async def spec(self, name: str, *, fresh: bool = False) -> CollectionSpec | None:
        """See `VectorStore`. Remembered with the number of its tables: where another process has dropped those, the
        next call that needs them finds out, and what is remembered goes."""
        if fresh:
            self.database.forget(name)
        try:
            return (await self.database.collection(name)).spec
        except UnknownCollectionError:
            return None

    async def read_heads(self, collection: str, documents: Sequence[Document]) -> dict[Document, Head]:
        """See `VectorStore`."""
        ids = [head_id(document) for document in documents]
        async with self.database.at(collection) as (connection, at):
            found = await connection.fetch(sql.read_heads(at), ids)
        heads = [payload.head_from(rows.head_payload(row)) for row in found]
        return {head.document: head for head in heads}

    async def write_heads(self, collection: str, heads: Sequence[Head]) -> None:
        """See `VectorStore`."""
        async with self.database.at(collection) as (connection, at):
            await connection.executemany(sql.write_head(at), sorted(map(rows.of_head, heads), key=_first))

    async def note_parts(self, collection: str, notes: Sequence[PartNote]) -> None:
        """See `VectorStore`."""
        values = [(head_id(n.document), *n.version, json.dumps({str(n.part): n.tally})) for n in notes]
        async with self.database.at(collection) as (connection, at):
            await connection.executemany(sql.note_part(at), sorted(values))

    async def mark_indexed(self, collection: str, heads: Mapping[Document, Version], indexed_at: int) -> None:
        """See `VectorStore`."""
        values = [(head_id(document), *version, indexed_at) for document, version in heads.items()]
        async with self.database.at(collection) as (connection, at):
            await connection.executemany(sql.mark_indexed(at), sorted(values))

    async def list_points(self, collection: str, documents: Sequence[Document]) -> list[PointState]:
        """See `VectorStore`."""
        columns = [list(column) for column in zip(*documents, strict=True)] or [[], [], []]
        async with self.database.at(collection) as (connection, at):
            found = await connection.fetch(sql.list_points(at), *columns)
        return [payload.state_from(rows.point_payload(row)) for row in found]

    async def count(self, collection: str, document: Document, version: Version) -> int:
        """See `VectorStore`."""
        async with self.database.at(collection) as (connection, at):
            return int(await connection.fetchval(sql.count(at), *document, *version))

    async def upsert(self, collection: str, passages: Sequence[Passage]) -> None:
        """See `VectorStore`."""
        ordered = sorted(passages, key=lambda passage: passage.attributes.chunk_id)
        for start in range(0, len(ordered), _UPSERT_POINTS):
            await self._upsert(collection, ordered[start : start + _UPSERT_POINTS])

    async def _upsert(self, collection: str, passages: Sequence[Passage]) -> None:
        async with self.database.at(collection, transaction=True) as (connection, at):
            taken = await connection.fetchmany(sql.upsert(at), [rows.of_attributes(p.attributes) for p in passages])
            numbers = {str(row["chunk_id"]): row["number"] for row in taken}
            new = [(numbers[p.attributes.chunk_id], p) for p in passages if p.attributes.chunk_id in numbers]
            await connection.executemany(
                sql.write_body(at), [(n, p.model, stored(p.text), p.dense.tolist()) for n, p in new]
            )
            await connection.execute(sql.forget_terms(at), [number for number, _ in new])
            await connection.copy_records_to_table(
                f"terms_{at.number}", schema_name=SCHEMA, records=[row for n, p in new for row in rows.postings(n, p)]
            )

    async def bump(self, collection: str, passages: Sequence[Attributes]) -> None:
        """See `VectorStore`."""
        async with self.database.at(collection) as (connection, at):
            await connection.executemany(sql.bump(at), sorted(map(rows.of_attributes, passages), key=_first))

    async def narrow(self, collection: str, acl: tuple[str, ...], points: Mapping[str, Version]) -> None:
        """See `VectorStore`."""
        ordered = sorted(points.items())
        ids, revisions, epochs = (
            [i for i, _ in ordered],
            [v.revision for _, v in ordered],
            [v.epoch for _, v in ordered],
        )
        async with self.database.at(collection) as (connection, at):
            await connection.execute(sql.narrow(at), [*map(stored, acl)], ids, revisions, epochs)

    async def delete_older(self, collection: str, cutoffs: Mapping[Document, Version]) -> None:
        """See `VectorStore`."""
        async with self.database.at(collection) as (connection, at):
            await connection.executemany(
                sql.delete_older(at), [(*document, *version) for document, version in sorted(cutoffs.items())]
            )

    async def sweep_heads(self, collection: str, written_before: int) -> int:
        """See `VectorStore`."""
        async with self.database.at(collection) as (connection, at):
            return len(await connection.fetch(sql.sweep_heads(at), written_before))

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """See `VectorStore`."""
        async with self.database.at(collection, transaction=True) as (connection, at):
            return await Search(connection, at, request, self._tuning).hits(self.database.version)

    async def scan(self, collection: str) -> AsyncIterator[Head | Passage]:
        """See `VectorStore`."""
        async for row in self._pages(collection, sql.page_of_heads, None, "id"):
            yield payload.head_from(rows.head_payload(row))
        async for row in self._pages(collection, sql.page_of_points, -1, "number"):
            if row["dense"] is not None:
                yield _passage(row)

    async def examine(self, collection: str) -> AsyncIterator[Held]:
        """See `VectorStore`."""
        async for row in self._pages(collection, sql.page_of_heads, None, "id"):
            yield _head_held(row)
        async for row in self._pages(collection, sql.page_of_points, -1, "number"):
            yield _point_held(row)

    async def _pages(self, collection: str, statement: Any, start: Any, key: str) -> AsyncIterator[Any]:
        """Slice by slice, each by a statement of its own: no snapshot is kept open, and no lock."""
        last = start
        while True:
            async with self.database.at(collection) as (connection, at):
                page = await connection.fetch(statement(at), last, _PAGE)
            for row in page:
                yield row
            if len(page) < _PAGE:
                return
            last = page[-1][key]

    async def examine_some(self, collection: str, doc_ids: Sequence[str], point_ids: Sequence[str]) -> list[Held]:
        """See `VectorStore`."""
        async with self.database.at(collection) as (connection, at):
            heads = await connection.fetch(sql.claimed_heads(at), list(doc_ids), list(point_ids))
            points = await connection.fetch(sql.claimed_points(at), list(doc_ids), list(point_ids))
        return [*map(_head_held, heads), *map(_point_held, points)]

    async def point_count(self, collection: str) -> int:
        """See `VectorStore`."""
        async with self.database.at(collection) as (connection, at):
            return int(await connection.fetchval(sql.count_all(at)))

    async def maintain(self) -> None:
        """See `VectorStore`: builds the vector index of collections that have grown past the threshold."""
        await indexes.build(self.database, self._tuning)

    async def close(self) -> None:
        """See `VectorStore`."""
        await self.database.close()


def _first(row: tuple[object, ...]) -> Any:
    return row[0]


def _passage(row: Any) -> Passage:
    held = rows.point_payload(row)
    return Passage(
        attributes=payload.attributes_from(held),
        text=held["text"],
        dense=np.asarray(held["dense"], dtype=np.float32),
        model=held["model"],
    )


def _head_held(row: Any) -> Held:
    return point_held_from(str(row["id"]), rows.head_payload(row), None)


def _point_held(row: Any) -> Held:
    return point_held_from(str(row["chunk_id"]), rows.point_payload(row), row["dense"])
