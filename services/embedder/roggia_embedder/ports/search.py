"""What a search asks of a vector store, and what it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from roggia_schemas.names import Version

from roggia_embedder.ports.model import Matrix
from roggia_embedder.ports.values import SparseVector


@dataclass(frozen=True, slots=True)
class Filters:
    """What a caller may narrow by. None means any; every metadata entry must match exactly."""

    language: str | None = None
    source: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search in one collection. Dense, lexical, or (both given) hybrid, fused by reciprocal rank.

    Every store applies, in every prefetch and again on the result: tenant, ACL (a passage is visible when its acl
    holds `*` or one of `groups`), not deleted, not expired at `now_ms` (milliseconds, UTC), and `filters`.
    `groups` may be empty: then only passages for the whole tenant are visible. `k` >= 1. `candidates` is how many each
    branch of a hybrid search contributes (at least `k`). `exact` compares the dense vector with every passage instead
    of walking a graph: for measuring what the graph misses. A store that is always exact ignores it.
    """

    tenant_id: str
    groups: tuple[str, ...]
    k: int
    now_ms: int
    dense: Matrix | None = None
    lexical: SparseVector | None = None
    filters: Filters = Filters()
    candidates: int = 100
    exact: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k: {self.k} is not valid; use 1 or more")
        if self.dense is None and self.lexical is None:
            raise ValueError("a search needs a dense vector, a lexical vector, or both")


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage found. `score` is comparable within one result only (cosine, BM25 or RRF by the kind of search)."""

    chunk_id: str
    doc_id: str
    score: float
    text: str
    title: str | None
    heading_path: tuple[str, ...]
    source: str | None
    language: str | None
    version: Version
    metadata: Mapping[str, str]
    model: str = ""
    """Stamp of the model that made the passage's vector (`model_stamp`); empty on passages from before there were
    stamps."""
