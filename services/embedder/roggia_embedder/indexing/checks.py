"""What makes a doc.embedded event unfit for the index. Pure. Types and vectors' size are the codec's to check."""

from __future__ import annotations

import re

import numpy as np
from roggia_runtime import replay
from roggia_schemas.events import DocEmbedded
from roggia_schemas.names import check_moment, check_revision, check_slug

from roggia_embedder.errors import EmbedderError

_SUFFIX = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_GENERATION = re.compile(r"g\d+\Z")


class RefusedError(EmbedderError):
    """An event can never be written. `kind` and `field` are the dead letter's."""

    def __init__(self, kind: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.kind = kind
        self.field = field


def check(event: DocEmbedded, key: tuple[str, str], generation: int) -> None:
    """Raise `RefusedError`, or the schemas package's `InvalidNameError`, naming field, value and remedy."""
    if key != (event.tenant_id, event.doc_id):
        raise RefusedError("invalid", "key", f"names {'/'.join(key)}, the event another document; set tenant_id/doc_id")
    for domain in (event.domain, *event.left_domains):
        check_slug("domain", domain)
    check_revision(event.revision)
    check_moment("occurred_at", event.occurred_at)
    if event.generation != generation:
        raise RefusedError(
            "policy", "generation", f"{event.generation} is not the {generation} that this topic and role are for"
        )
    if event.deleted and event.chunk_ids:
        raise RefusedError("invalid", "chunk_ids", f"{len(event.chunk_ids)} chunks in a deletion; send none")
    if not event.deleted:
        _check_content(event)


def side_collection(suffix: str) -> str:
    """The suffix of a side collection, checked. Raises `RefusedError`: a generation is no side collection."""
    if not suffix or (_SUFFIX.match(suffix) and not _GENERATION.match(suffix)):
        return suffix
    raise RefusedError(
        "policy", replay.COLLECTION, f"{suffix[:64]!r}; use 1 to 63 of a-z, 0-9 and '-', not a generation such as g2"
    )


def _check_content(event: DocEmbedded) -> None:
    if not event.acl:
        raise RefusedError("invalid", "acl", 'empty; name the groups, or "*" for the whole tenant')
    if not 0 <= event.part < event.parts:
        raise RefusedError("invalid", "part", f"{event.part} of {event.parts} parts; use 0 <= part < parts")
    named = set(event.chunk_ids)
    if len(named) != len(event.chunk_ids):
        raise RefusedError("invalid", "chunk_ids", "an id appears twice; ids must be distinct (count occurrences)")
    here = [chunk.chunk_id for chunk in event.chunks]
    if len(set(here)) != len(here) or not named.issuperset(here):
        raise RefusedError("invalid", "chunks", "a chunk appears twice or is not named in chunk_ids")
    _check_vectors(event)


def _check_vectors(event: DocEmbedded) -> None:
    if event.dimension < 1:
        raise RefusedError("invalid", "dimension", f"{event.dimension}; use the model's dimension, 1 or more")
    if not np.isfinite(event.vectors).all():
        raise RefusedError("invalid", "vectors", "a number is infinite or not a number")
    if not event.vectors.reshape(-1, event.dimension).any(axis=1).all():
        raise RefusedError("invalid", "vectors", "a vector is all zeros, which has no direction")
