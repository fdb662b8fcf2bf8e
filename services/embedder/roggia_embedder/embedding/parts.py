"""From a chunk set and its vectors to `doc.embedded` events: one, or several parts under a size bound. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from roggia_runtime import ids
from roggia_schemas.events import Chunk, DocChunked, DocEmbedded, EmbeddedChunk

from roggia_embedder.embedding.vectors import Supplied
from roggia_embedder.ports import Matrix

STAGE = "embed"
_CHUNK_OVERHEAD = 128
_FLOAT = 4


@dataclass(frozen=True, slots=True)
class Target:
    """What a generation's events say of themselves. `part_bytes` bounds a part, uncompressed, roughly."""

    generation: int
    model: str
    dimension: int
    part_bytes: int


def embedded(event: DocChunked, supplied: Supplied, target: Target) -> list[DocEmbedded]:
    """The parts of one revision, in order; a deletion is one part without vectors.

    Ids depend on the input alone; `cached` says what happened this time, so a redelivery may differ in it.
    """
    pieces = list(_pieces(event.chunks, target))
    return [_part(event, supplied, target, piece, number, len(pieces)) for number, piece in enumerate(pieces)]


def _pieces(chunks: Sequence[Chunk], target: Target) -> Iterator[Sequence[Chunk]]:
    start = size = 0
    for index, chunk in enumerate(chunks):
        more = len(chunk.text.encode()) + target.dimension * _FLOAT + _CHUNK_OVERHEAD
        if index > start and size + more > target.part_bytes:
            yield chunks[start:index]
            start, size = index, 0
        size += more
    yield chunks[start:]


def _part(
    event: DocChunked, supplied: Supplied, target: Target, piece: Sequence[Chunk], number: int, parts: int
) -> DocEmbedded:
    first = set[str]()
    return DocEmbedded(
        event_id=ids.derived(event.event_id, STAGE, f"{target.model}|g{target.generation}|{number}/{parts}"),
        parent_event_id=event.event_id,
        occurred_at=event.occurred_at,
        tenant_id=event.tenant_id,
        domain=event.domain,
        doc_id=event.doc_id,
        revision=event.revision,
        epoch=event.epoch,
        deleted=event.deleted,
        left_domains=event.left_domains,
        content_type=event.content_type,
        title=event.title,
        source=event.source,
        language=event.language,
        acl=event.acl,
        created_at=event.created_at,
        expires_at=event.expires_at,
        metadata=event.metadata,
        generation=target.generation,
        model=target.model,
        chunker=event.chunker,
        part=number,
        parts=parts,
        chunk_ids=tuple(chunk.chunk_id for chunk in event.chunks),
        chunks=tuple(_chunk(chunk, supplied, first) for chunk in piece),
        dimension=0 if event.deleted else target.dimension,
        vectors=_vectors(piece, supplied),
    )


def _chunk(chunk: Chunk, supplied: Supplied, seen: set[str]) -> EmbeddedChunk:
    computed = chunk.text_sha256 in supplied.computed and chunk.text_sha256 not in seen
    seen.add(chunk.text_sha256)
    return EmbeddedChunk(
        chunk_id=chunk.chunk_id,
        ordinal=chunk.ordinal,
        text=chunk.text,
        heading_path=chunk.heading_path,
        tokens=chunk.tokens,
        cached=not computed,
    )


def _vectors(piece: Sequence[Chunk], supplied: Supplied) -> Matrix:
    if not piece:
        return np.empty(0, np.float32)
    return np.concatenate([supplied.vectors[chunk.text_sha256] for chunk in piece], dtype=np.float32)
