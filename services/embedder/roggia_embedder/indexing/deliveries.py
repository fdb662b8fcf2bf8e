"""From a doc.embedded event to what the index writer delivers, collection by collection. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from roggia_schemas.events import DocChunked, DocEmbedded
from roggia_schemas.names import Version, alias_name, collection_name

from roggia_embedder.indexing.writer import Delivery
from roggia_embedder.ports import Attributes, CollectionSpec, Document, PartTally, Passage, model_stamp

_DIMENSION = re.compile(r";dim=(\d+)(?:;|\Z)")
GONE = "deleted"
"""Digest of every deletion: there is nothing in it that could differ."""


def collections(event: DocEmbedded, suffix: str = "") -> list[str]:
    """Physical collections that the event touches: the document's own domain first, then those it left.

    With a `suffix` they are side collections, which no alias names.
    """
    return [_collection(event, domain, suffix) for domain in dict.fromkeys((event.domain, *event.left_domains))]


def _collection(event: DocEmbedded, domain: str, suffix: str) -> str:
    if suffix:
        return f"{alias_name(event.tenant_id, domain)}__{suffix}"
    return collection_name(event.tenant_id, domain, event.generation)


def specification(event: DocEmbedded, suffix: str = "") -> CollectionSpec | None:
    """The collection of the document's own domain, as the event's model needs it.

    A deletion carries no vectors; its model's fingerprint tells the dimension, so that the deletion has a collection to
    stand in even when it is the first that is heard of it. None: a deletion whose fingerprint does not tell.
    """
    dimension = event.dimension
    if not dimension:
        told = _DIMENSION.search(event.model)
        if told is None:
            return None
        dimension = int(told[1])
    return CollectionSpec(_collection(event, event.domain, suffix), event.generation, event.model, dimension)


def deliveries(event: DocEmbedded, suffix: str = "", *, rewrite: bool = False) -> list[tuple[str, Delivery]]:
    """What to write where: the version in its own domain, a deletion in every domain that the document left."""
    own, *left = collections(event, suffix)
    domains = [domain for domain in dict.fromkeys(event.left_domains) if domain != event.domain]
    written = _deletion(event, event.domain) if event.deleted else _revision(event, rewrite)
    return [(own, written), *((name, _deletion(event, domain)) for name, domain in zip(left, domains, strict=True))]


def _deletion(event: DocEmbedded, domain: str) -> Delivery:
    return Delivery(
        document=Document(event.tenant_id, domain, event.doc_id),
        version=Version(event.revision, event.epoch),
        deleted=True,
        total=0,
        digest=GONE,
        acl=(),
        part=0,
        tally=PartTally(0, 0),
        passages=(),
    )


def _revision(event: DocEmbedded, rewrite: bool) -> Delivery:
    cached = sum(chunk.cached for chunk in event.chunks)
    return Delivery(
        document=Document(event.tenant_id, event.domain, event.doc_id),
        version=Version(event.revision, event.epoch),
        deleted=False,
        total=len(event.chunk_ids),
        digest=content_digest(event, event.chunk_ids),
        acl=event.acl,
        part=event.part,
        tally=PartTally(len(event.chunks) - cached, cached),
        passages=_passages(event),
        rewrite=rewrite,
    )


def _passages(event: DocEmbedded) -> tuple[Passage, ...]:
    document, version = Document(event.tenant_id, event.domain, event.doc_id), Version(event.revision, event.epoch)
    rows = event.vectors.reshape(len(event.chunks), event.dimension)
    stamp = model_stamp(event.model)
    return tuple(
        Passage(
            Attributes(
                chunk_id=chunk.chunk_id,
                document=document,
                version=version,
                acl=event.acl,
                heading_path=chunk.heading_path,
                title=event.title,
                source=event.source,
                language=event.language,
                created_at=event.created_at,
                expires_at=event.expires_at,
                metadata=event.metadata,
            ),
            chunk.text,
            row,
            stamp,
        )
        for chunk, row in zip(event.chunks, rows, strict=True)
    )


def content_digest(event: DocEmbedded | DocChunked, chunk_ids: Sequence[str]) -> str:
    """Hash of what every part of a version says alike: two contents under one version are told apart by it.

    Follows from the chunk set alone, so that a verification can tell what a head must say.
    """
    said = [
        chunk_ids, event.acl, event.title, event.source, event.language, event.created_at, event.expires_at,
        sorted(event.metadata.items()),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]
