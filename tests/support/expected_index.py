"""What the index must hold for a workload, computed straight from the last revision of every document."""

from __future__ import annotations

from collections.abc import AsyncIterable

from roggia_embedder.ports import Head, Passage
from roggia_ingest import events
from roggia_ingest.catalogue import DocKey
from roggia_ingest.prepare import Job
from roggia_schemas.events import DocChanged
from roggia_schemas.names import collection_name

from tests.support.ingesting import preparation
from tests.support.workload import Workload

Row = tuple[str, str, str, int, str, tuple[str, ...]]
"""Collection, doc_id, chunk_id, revision, text, acl."""


def expected_rows(workload: Workload, generation: int = 1) -> set[Row]:
    """Every chunk that must be found, and no other."""
    return {row for event in workload.last().values() if event.content is not None for row in _rows(event, generation)}


async def held_rows(collection: str, points: AsyncIterable[Head | Passage]) -> set[Row]:
    """Every passage that one collection holds."""
    rows: list[Row] = []
    async for point in points:
        if isinstance(point, Passage):
            held = point.attributes
            rows.append((collection, held.document.doc_id, held.chunk_id, held.version.revision, point.text, held.acl))
    assert len(rows) == len(set(rows))
    return set(rows)


def difference(want: set[Row], got: set[Row]) -> str:
    """The first differences in words, for a failed assertion."""
    missing, extra = ([_brief(row) for row in sorted(rows)] for rows in (want - got, got - want))
    return f"{len(missing)} missing, {len(extra)} too many; missing {missing[:3]}; too many {extra[:3]}"


def _brief(row: Row) -> tuple[object, ...]:
    return (*row[:4], row[4][:40], row[5])


def _rows(event: DocChanged, generation: int) -> set[Row]:
    key = DocKey(event.tenant_id, event.doc_id)
    prepared = preparation().prepare(Job(event.content or b"", event.content_type or "", title=event.title))
    collection = collection_name(event.tenant_id, event.domain, generation)
    return {
        (collection, event.doc_id, chunk.chunk_id, event.revision, chunk.text, tuple(sorted(event.acl)))
        for chunk in events.chunks_of(key, event.domain, prepared.passages)
    }
