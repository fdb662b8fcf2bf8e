"""Requests and responses of the query role, as they travel over HTTP in JSON.

The server parses and writes them, clients (the command line, the guard) write and parse them. Needs msgspec alone: no
model and no index is imported.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import msgspec

MAX_K = 100
"""Most passages one request can ask for."""

MAX_BODY_BYTES = 64 * 1024
"""Largest request body."""

SEARCH_PATH = "/v1/search"
ASK_PATH = "/v1/ask"
COLLECTIONS_PATH = "/v1/collections"

_T = TypeVar("_T")


class Mode(StrEnum):
    """How passages are found: by meaning (dense), by words (lexical, BM25) or by both, fused by rank (hybrid)."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """One physical collection. `alias` is the one by which readers come to it, empty when none does; `points` counts
    heads too.

    `serves` says whether readers get it now. `state` is its generation's on `index.generation`; empty for a generation
    without a record there. `store` is where it is, by the name that the embedder's settings have for it; empty:
    their own store.
    """

    name: str
    alias: str
    generation: int
    model: str
    dimension: int
    points: int
    serves: bool = False
    state: str = ""
    store: str = ""


class CollectionsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Every collection, by name.

    `stores` are the names that the settings give to further stores; an index generation may be planned in one. `away`
    are stores that do not answer now, whose collections are left out; the settings' own has an empty name there.
    """

    collections: tuple[Collection, ...]
    stores: tuple[str, ...] = ()
    away: tuple[str, ...] = ()


class Filters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conditions that every returned passage meets, all by equality. None and an empty map ask for nothing.

    `language` is ISO 639-1, `source` the document's source, `metadata` pairs that the document's metadata holds.
    """

    language: str | None = None
    source: str | None = None
    metadata: dict[str, str] = {}


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question to one index (tenant and domain), for `/v1/search` and `/v1/ask` alike.

    `groups` are the caller's groups as established by whoever authenticated it: a passage is visible when its ACL
    holds one of them or `*`. With no groups only documents open to the whole tenant are visible. `k` is 1 to `MAX_K`.

    `generation` asks one index generation, whichever serves: for evaluation. `exact` compares the query's vector with
    every passage instead of walking a graph: slow, for measuring what the graph misses. Either makes the request a
    measurement: it is answered, and counts nowhere as something that a user asked.
    """

    tenant: str
    domain: str
    query: str
    groups: tuple[str, ...] = ()
    k: int = 10
    mode: Mode = Mode.HYBRID
    filters: Filters = Filters()
    generation: int | None = None
    exact: bool = False

    @property
    def measures(self) -> bool:
        """Whether this is a measurement, and not what a user asked."""
        return self.generation is not None or self.exact


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One passage found. `score` orders the results of one request; its scale depends on the mode."""

    doc_id: str
    chunk_id: str
    score: float
    text: str
    title: str | None = None
    heading_path: tuple[str, ...] = ()
    source: str | None = None
    language: str | None = None
    revision: int = 0
    metadata: dict[str, str] = {}


class SearchResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, best first, and by which index generation, physical collection and model fingerprint."""

    query_id: str
    generation: int
    collection: str
    model: str
    latency_ms: float
    results: tuple[Passage, ...] = ()


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """One source of an answer; `n` is the number in square brackets in the answer's text, from 1."""

    n: int
    doc_id: str
    chunk_id: str
    score: float
    text: str
    title: str | None = None
    heading_path: tuple[str, ...] = ()
    source: str | None = None


class AskResponse(msgspec.Struct, frozen=True, kw_only=True):
    """An answer made of sentences copied from the passages found, each followed by its citation.

    `found` is False when nothing relevant was found: `answer` says so and `citations` is empty. `relevance` is the
    number that decided (cosine of the question and the best sentence), beside its `threshold`.
    """

    query_id: str
    generation: int
    collection: str
    model: str
    latency_ms: float
    answer: str
    found: bool
    relevance: float
    threshold: float
    extractive: bool = True
    citations: tuple[Citation, ...] = ()


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request failed. `field` names the request's offending field or is empty."""

    code: str
    message: str
    field: str = ""


class ErrorResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Body of every answer whose status is 4xx or 5xx."""

    error: ErrorDetail


def encode(value: msgspec.Struct) -> bytes:
    """JSON bytes of a request or response."""
    return msgspec.json.encode(value)


def decode(body: bytes, kind: type[_T]) -> _T:
    """Parse JSON bytes as `kind`. Raises msgspec.DecodeError (malformed) or msgspec.ValidationError (other shape)."""
    return msgspec.json.decode(body, type=kind)
