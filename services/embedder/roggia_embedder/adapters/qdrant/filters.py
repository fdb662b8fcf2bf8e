"""Filters and queries of qdrant-client. Pure: nothing here calls the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qdrant_client import models as m
from roggia_schemas.names import Version

from roggia_embedder.adapters import payload
from roggia_embedder.ports import Document, SearchRequest, SparseVector
from roggia_embedder.tuning import IndexTuning


def older(version: Version) -> m.Filter:
    """Stored version < `version`. Equality is compared as integers; a range as doubles, exact below 2^53."""
    epoch = m.Filter(must=[equals("revision", version.revision), below("epoch", version.epoch)])
    return m.Filter(should=[below("revision", version.revision), epoch])


def exactly(version: Version) -> m.Filter:
    """Stored version == `version`."""
    return m.Filter(must=[equals("revision", version.revision), equals("epoch", version.epoch)])


def not_indexed_at(version: Version) -> m.Filter:
    """A head at this version that is not marked as indexed."""
    return m.Filter(must=[exactly(version), unset("indexed_at")])


def sweepable(written_before: int) -> m.Filter:
    """Heads of deletions that are complete and old enough."""
    return m.Filter(
        must=[equals("kind", payload.HEAD), below("deleted_at", written_before)], must_not=[unset("indexed_at")]
    )


def of_document(document: Document) -> list[Any]:
    """Passages of one document."""
    return [
        equals("kind", payload.PASSAGE),
        equals("tenant_id", document.tenant_id),
        equals("domain", document.domain),
        equals("doc_id", document.doc_id),
    ]


def of_documents(doc_ids: Sequence[str]) -> m.Filter:
    """Passages of documents with these ids, of any tenant and domain."""
    any_of = m.FieldCondition(key="doc_id", match=m.MatchAny(any=list(doc_ids)))
    return m.Filter(must=[equals("kind", payload.PASSAGE), any_of])


def claimed(doc_ids: Sequence[str], point_ids: Sequence[str]) -> m.Filter:
    """Points, heads included, that name one of these documents or have one of these ids."""
    named = m.FieldCondition(key="doc_id", match=m.MatchAny(any=list(doc_ids)))
    return m.Filter(should=[named, m.HasIdCondition(has_id=list(point_ids))])


def points(ids: Sequence[str], *guards: Any) -> m.Filter:
    """These points, where every guard holds."""
    return m.Filter(must=[m.HasIdCondition(has_id=list(ids)), *guards])


def language(code: str | None) -> Any:
    """Passages of this language, or of none."""
    return unset("lang") if code is None else equals("lang", code)


def equals(key: str, value: str | int) -> m.FieldCondition:
    """Payload key equals a keyword or an integer."""
    return m.FieldCondition(key=key, match=m.MatchValue(value=value))


def below(key: str, value: float) -> m.FieldCondition:
    """Payload number is lower."""
    return m.FieldCondition(key=key, range=m.Range(lt=value))


def unset(key: str) -> m.IsEmptyCondition:
    """The payload key is absent or null."""
    return m.IsEmptyCondition(is_empty=m.PayloadField(key=key))


def sparse(vector: SparseVector) -> m.SparseVector:
    """A BM25 vector."""
    return m.SparseVector(indices=vector.indices.tolist(), values=vector.values.tolist())


def visible(request: SearchRequest) -> m.Filter:
    """What a search may return at all."""
    asked = request.filters
    must: list[Any] = [
        equals("tenant_id", request.tenant_id),
        m.FieldCondition(key="acl", match=m.MatchAny(any=["*", *request.groups])),
    ]
    if asked.language is not None:
        must.append(equals("lang", asked.language))
    if asked.source is not None:
        must.append(equals("source", asked.source))
    must.extend(equals("labels", payload.label(key, value)) for key, value in asked.metadata.items())
    gone: list[Any] = [
        m.FieldCondition(key="expires_at", range=m.Range(lte=request.now_ms)),
        m.FieldCondition(key="deleted_at", range=m.Range(gte=0)),
    ]
    return m.Filter(must=must, must_not=gone)


def query(request: SearchRequest, tuning: IndexTuning) -> dict[str, Any]:
    """Arguments of `query_points`: filtered in every prefetch and at the top."""
    seen = visible(request)
    limit = max(request.k, request.candidates)
    branches = [
        m.Prefetch(query=vector, using=name, filter=seen, params=params, limit=limit)
        for name, vector, params in _branches(request, tuning)
    ]
    shared = {"query_filter": seen, "limit": request.k, "with_payload": True}
    if len(branches) == 1:
        only = branches[0]
        return {"query": only.query, "using": only.using, "search_params": only.params, **shared}
    return {"query": m.RrfQuery(rrf=m.Rrf(k=payload.RRF_K)), "prefetch": branches, **shared}


def _branches(request: SearchRequest, tuning: IndexTuning) -> list[tuple[str, Any, m.SearchParams | None]]:
    branches: list[tuple[str, Any, m.SearchParams | None]] = []
    if request.dense is not None:
        params = m.SearchParams(hnsw_ef=max(tuning.ef, request.k), exact=request.exact)
        branches.append((payload.DENSE, request.dense.tolist(), params))
    if request.lexical is not None:
        branches.append((payload.LEXICAL, sparse(request.lexical), None))
    return branches
