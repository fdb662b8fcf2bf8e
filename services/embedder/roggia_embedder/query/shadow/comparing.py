"""Two answers to one question as the event that tells of both. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from roggia_runtime import questions, rankings
from roggia_runtime.ids import uuid7
from roggia_schemas.events import RetrievalShadowed, ShadowedAnswer, ShadowedPassage

from roggia_embedder.query import api
from roggia_embedder.query.search import Found

_HASHED = 32
"""Hexadecimal digits that stand for a query."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one generation did with a search. `found` None: nothing, and `error` is the code of why."""

    generation: int
    latency_ms: float
    found: Found | None = None
    error: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A search that was sampled, and the answer that its user got."""

    request: api.SearchRequest
    query_id: str
    answered: Answered


def shadowed(sampled: Sampled, other: Answered, *, now_ms: int, percent: float, with_text: bool) -> RetrievalShadowed:
    """The event. The query's text is in it only `with_text`."""
    request = sampled.request
    overlap, rbo = _agreement(sampled.answered, other)
    return RetrievalShadowed(
        event_id=uuid7(),
        occurred_at=now_ms,
        tenant_id=request.tenant,
        domain=request.domain,
        query_id=sampled.query_id,
        query_hash=query_hash(request),
        query_text=request.query if with_text else None,
        language=request.filters.language,
        words=questions.words(request.query),
        identifier=questions.exact(request.query),
        mode=request.mode.value,
        k=request.k,
        percent=percent,
        answers=(_answer(sampled.answered), _answer(other)),
        overlap=overlap,
        rbo=rbo,
    )


def query_hash(request: api.SearchRequest) -> str:
    """The same for the same tenant, domain and query."""
    text = f"{request.tenant}\0{request.domain}\0{request.query}"
    return hashlib.sha256(text.encode()).hexdigest()[:_HASHED]


def _agreement(one: Answered, other: Answered) -> tuple[float | None, float | None]:
    """Overlap and RBO of the documents: another chunker's passages have other ids."""
    if one.found is None or other.found is None:
        return None, None
    first, second = _documents(one.found.passages), _documents(other.found.passages)
    return rankings.overlap(first, second), rankings.rbo(first[: rankings.DEPTH], second[: rankings.DEPTH])


def _documents(passages: Sequence[api.Passage]) -> list[str]:
    """Documents by their best passage, best first."""
    return list(dict.fromkeys(passage.doc_id for passage in passages))


def _answer(answered: Answered) -> ShadowedAnswer:
    found = answered.found
    return ShadowedAnswer(
        generation=answered.generation,
        state=answered.state,
        collection=found.binding.collection if found else "",
        model=found.binding.model if found else "",
        latency_ms=answered.latency_ms,
        error=answered.error,
        results=tuple(ShadowedPassage(doc_id=p.doc_id, chunk_id=p.chunk_id) for p in found.passages) if found else (),
    )
