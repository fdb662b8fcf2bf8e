"""Build `doc.chunked`. No clock and no chance: the same input gives the same bytes."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterable

from roggia_runtime import ids
from roggia_schemas.events import Chunk, DocChanged, DocChunked

from roggia_ingest.catalogue.state import DocKey, DocState
from roggia_ingest.chunk import Chunker, Passage
from roggia_ingest.normalize import normalize
from roggia_ingest.prepare import Prepared

STAGE = "ingest"
CHUNK_NAMESPACE = uuid.UUID("0d4b5a1e-6f53-5c0e-8f0a-9b7c1e2d3f40")
"""Namespace of chunk ids. Part of the contract: changing it changes every chunk id."""


def chunked(key: DocKey, event: DocChanged, state: DocState, prepared: Prepared, chunker: Chunker) -> DocChunked:
    """The chunk set of one revision."""
    chunks = tuple(chunks_of(key, state.domain, prepared.passages))
    return DocChunked(
        event_id=ids.derived(event.event_id, STAGE, f"{prepared.normalizer}|{chunker.fingerprint}"),
        parent_event_id=event.event_id,
        occurred_at=event.occurred_at,
        tenant_id=key.tenant_id,
        domain=state.domain,
        doc_id=key.doc_id,
        revision=state.revision,
        epoch=state.epoch,
        deleted=False,
        left_domains=state.left_domains,
        content_type=event.content_type,
        content_sha256=prepared.content_sha256,
        title=prepared.title,
        source=normalize(event.source).replace("\n", " ") or None if event.source else None,
        language=prepared.language,
        acl=tuple(sorted(set(event.acl))),
        created_at=event.created_at,
        expires_at=state.expires_at,
        metadata=dict(sorted(event.metadata.items())),
        normalizer=prepared.normalizer,
        chunker=chunker.fingerprint,
        max_chunk_tokens=chunker.sizes.maximum,
        total_tokens=sum(chunk.tokens for chunk in chunks),
        chunks=chunks,
    )


def deletion(key: DocKey, state: DocState, occurred_at: int) -> DocChunked:
    """The end of a document: by DELETE, by Kafka null, or by expiry. Renewed, it keeps its id."""
    epoch = state.epoch if state.ended_epoch is None else state.ended_epoch
    return DocChunked(
        event_id=ids.derived(state.event_id, STAGE, f"deleted {state.revision}.{epoch}"),
        parent_event_id=state.event_id,
        occurred_at=occurred_at,
        tenant_id=key.tenant_id,
        domain=state.domain,
        doc_id=key.doc_id,
        revision=state.revision,
        epoch=state.epoch,
        deleted=True,
        left_domains=state.left_domains,
    )


def chunk_id(key: DocKey, domain: str, text_sha256: str, occurrence: int) -> str:
    """Identity of a chunk: its text and document, not its place."""
    return str(uuid.uuid5(CHUNK_NAMESPACE, f"{key.tenant_id}\0{domain}\0{key.doc_id}\0{text_sha256}\0{occurrence}"))


def chunks_of(key: DocKey, domain: str, passages: Iterable[Passage]) -> Iterable[Chunk]:
    """Passages with their identities. Also what a test computes an index from."""
    seen: Counter[str] = Counter()
    for ordinal, passage in enumerate(passages):
        digest = hashlib.sha256(passage.text.encode()).hexdigest()
        occurrence = seen[digest]
        seen[digest] += 1
        yield Chunk(
            chunk_id=chunk_id(key, domain, digest, occurrence),
            ordinal=ordinal,
            text=passage.text,
            text_sha256=digest,
            occurrence=occurrence,
            heading_path=passage.heading_path,
            tokens=passage.tokens,
            start=passage.start,
            end=passage.end,
        )
