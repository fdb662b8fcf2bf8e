"""What is written to the index: collections, documents, head points, passages."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from roggia_schemas.names import Version

from roggia_embedder.ports.model import Matrix

_HEADS = uuid.UUID("1b869f0c-dc08-5693-91d4-e8d11ad41be5")
"""UUIDv5 of the URL urn:roggia:head."""


class Document(NamedTuple):
    """Which document inside one collection. Collections may be shared by tenants, so the tenant belongs to it."""

    tenant_id: str
    domain: str
    doc_id: str


@lru_cache(maxsize=65_536)
def head_id(document: Document) -> str:
    """Point id of a document's head: UUIDv5 over tenant, domain and doc_id."""
    return str(uuid.uuid5(_HEADS, "\0".join(document)))


@lru_cache(maxsize=64)
def model_stamp(fingerprint: str) -> str:
    """A model's fingerprint in 16 hexadecimal digits, to be kept with every vector."""
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """One physical collection: immutable once created."""

    name: str
    generation: int
    model: str
    dimension: int


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A BM25 vector: term numbers (distinct, unsigned 32-bit) and weights, same length."""

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]


class PartTally(NamedTuple):
    """How many vectors of one part were computed and how many came from the cache."""

    embedded: int
    cached: int


class PartNote(NamedTuple):
    """The tally of one part of one document version."""

    document: Document
    version: Version
    part: int
    tally: PartTally


@dataclass(frozen=True, slots=True)
class Head:
    """A document's head point: vectorless, one per document and collection. It decides which version is current.

    `total` counts the passages of the version (0 when deleted). `before` counts the points that the document had when
    this version arrived. `written_at` is when the head was written, `indexed_at` when the version was complete and
    everything older was gone (None until then); milliseconds, UTC. `digest` is the hash of the chunk ids.
    """

    document: Document
    version: Version
    deleted: bool
    total: int
    digest: str
    before: int
    written_at: int
    tallies: Mapping[int, PartTally] = field(default_factory=dict)
    indexed_at: int | None = None

    @property
    def id(self) -> str:
        """The point's id."""
        return head_id(self.document)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a passage says besides its text and vectors: what changes when the text stays.

    `since` is the version that inserted the point; a bump keeps it. All times are milliseconds, UTC.
    """

    chunk_id: str
    document: Document
    version: Version
    acl: tuple[str, ...]
    heading_path: tuple[str, ...] = ()
    title: str | None = None
    source: str | None = None
    language: str | None = None
    created_at: int | None = None
    expires_at: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """One searchable point. Its id is the chunk id. No position in it: an insertion above must not change it.

    Its lexical vector follows from text and language: the store makes it (`roggia_embedder.lexical`). `model` is the
    stamp of the model that made the dense vector (`model_stamp`); a bump, which leaves the vector, leaves it too.
    """

    attributes: Attributes
    text: str
    dense: Matrix
    model: str = ""


@dataclass(frozen=True, slots=True)
class PointState:
    """What the writer needs to know of a passage already there."""

    chunk_id: str
    document: Document
    version: Version
    since: Version
    acl: tuple[str, ...]
    language: str | None
