"""Ports' values as Qdrant Edge operations, filters and queries. Pure: nothing here touches a shard."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import qdrant_edge as qe
from roggia_schemas.names import Version

from roggia_embedder.adapters import payload
from roggia_embedder.lexical import encode_passage
from roggia_embedder.ports import (
    Attributes,
    CollectionSpec,
    Document,
    Head,
    Passage,
    SearchRequest,
    SparseVector,
    head_id,
)
from roggia_embedder.tuning import IndexTuning

_remembered = lru_cache(maxsize=8192)
"""Conditions do not change once built, and building one in the engine's types costs more than what it guards: a version
is asked about several times on its way into the index."""


def config(spec: CollectionSpec, tuning: IndexTuning) -> qe.EdgeConfig:
    """Configuration of a collection's shard."""
    hnsw = qe.HnswIndexConfig(m=tuning.m, ef_construct=tuning.ef_construct, full_scan_threshold=10_000)
    dense = qe.EdgeVectorParams(size=spec.dimension, distance=qe.Distance.Cosine, hnsw_config=hnsw)
    return qe.EdgeConfig(
        vectors={payload.DENSE: dense},
        sparse_vectors={payload.LEXICAL: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)},
        hnsw_config=hnsw,
        quantization_config=_quantization(tuning),
        optimizers=qe.EdgeOptimizersConfig(indexing_threshold=tuning.indexing_threshold_kb),
    )


def _quantization(tuning: IndexTuning) -> Any:
    if tuning.quantization == "scalar_int8":
        return qe.ScalarQuantizationConfig(type=qe.ScalarType.Int8, quantile=0.99, memory=qe.Memory.Pinned)
    if tuning.quantization == "turbo_4bit":
        return qe.TurboQuantQuantizationConfig(bits=qe.TurboQuantBitSize.Bits4, memory=qe.Memory.Pinned)
    return None


def indexes() -> list[qe.UpdateOperation]:
    """Payload indexes, to be created before data. Only the tenant's takes part in the graph: others cost minutes."""
    create = qe.UpdateOperation.create_field_index
    keyword = qe.KeywordIndexParams(enable_hnsw=False)
    integer = qe.IntegerIndexParams(lookup=False, range=True, enable_hnsw=False)
    return [
        create("tenant_id", qe.KeywordIndexParams(is_tenant=True)),
        *(create(key, keyword) for key in payload.KEYWORDS),
        *(create(key, integer) for key in payload.INTEGERS),
    ]


def write_head(head: Head) -> qe.UpdateOperation:
    """Guarded write of a head."""
    point = qe.Point(head.id, {}, payload.of_head(head))
    return qe.UpdateOperation.upsert_points([point], condition=older(head.version))


def upsert(passages: Sequence[Passage], version: Version) -> qe.UpdateOperation:
    """Guarded upsert of passages that share a version."""
    return qe.UpdateOperation.upsert_points([_point(passage) for passage in passages], condition=older(version))


def bump(passages: Sequence[Attributes]) -> qe.UpdateOperation:
    """Guarded payload update of passages that differ in nothing but their chunk id."""
    first = passages[0]
    here = [has_id([held.chunk_id for held in passages]), older(first.version), _language(first.language)]
    return qe.UpdateOperation.set_payload_by_filter(qe.Filter(must=here), payload.of_attributes(first))


def set_where(points: Sequence[str], guard: Any, values: payload.Payload) -> qe.UpdateOperation:
    """Set payload keys on points that are there and pass the guard."""
    return qe.UpdateOperation.set_payload_by_filter(qe.Filter(must=[has_id(points), guard]), values)


def delete_older(document: Document, version: Version) -> qe.UpdateOperation:
    """Delete a document's passages below a version."""
    return qe.UpdateOperation.delete_points_by_filter(qe.Filter(must=[*of_document(document), older(version)]))


@_remembered
def older(version: Version) -> qe.Filter:
    """Stored version < `version`. Equality is compared as integers; a range as doubles, exact below 2^53."""
    epoch = qe.Filter(must=[equals("revision", version.revision), below("epoch", version.epoch)])
    return qe.Filter(should=[below("revision", version.revision), epoch])


@_remembered
def exactly(version: Version) -> qe.Filter:
    """Stored version == `version`."""
    return qe.Filter(must=[equals("revision", version.revision), equals("epoch", version.epoch)])


@_remembered
def not_indexed_at(version: Version) -> qe.Filter:
    """A head at this version that is not marked as indexed."""
    return qe.Filter(must=[exactly(version), unset("indexed_at")])


def sweepable(written_before: int) -> qe.Filter:
    """Heads of deletions that are complete and old enough."""
    return qe.Filter(
        must=[equals("kind", payload.HEAD), below("deleted_at", written_before)],
        must_not=[qe.IsEmptyCondition("indexed_at")],
    )


@_remembered
def unset(key: str) -> qe.Filter:
    """The payload key is absent."""
    return qe.Filter(must=[qe.IsEmptyCondition(key)])


def equals(key: str, value: str | int) -> qe.FieldCondition:
    """Payload key equals a keyword or an integer."""
    return qe.FieldCondition(key, match=qe.MatchValue(value))


def below(key: str, value: float) -> qe.FieldCondition:
    """Payload number is lower."""
    return qe.FieldCondition(key, range=qe.RangeFloat(lt=value))


def has_id(points: Sequence[str]) -> qe.HasIdCondition:
    """The point is one of these."""
    return qe.HasIdCondition(set(points))


def of_document(document: Document) -> list[Any]:
    """Passages of one document."""
    return [
        equals("kind", payload.PASSAGE),
        equals("tenant_id", document.tenant_id),
        equals("domain", document.domain),
        equals("doc_id", document.doc_id),
    ]


def of_documents(doc_ids: Sequence[str]) -> qe.Filter:
    """Passages of documents with these ids, of any tenant and domain."""
    return qe.Filter(
        must=[equals("kind", payload.PASSAGE), qe.FieldCondition("doc_id", match=qe.MatchAny(list(doc_ids)))]
    )


def claimed(doc_ids: Sequence[str], point_ids: Sequence[str]) -> qe.Filter:
    """Points, heads included, that name one of these documents or have one of these ids."""
    named = qe.FieldCondition("doc_id", match=qe.MatchAny(list(doc_ids)))
    return qe.Filter(should=[named, has_id(point_ids)])


def head_ids(documents: Sequence[Document]) -> list[str]:
    """Point ids of heads."""
    return [head_id(document) for document in documents]


def query(request: SearchRequest, tuning: IndexTuning) -> qe.QueryRequest:
    """A search, filtered in every prefetch and at the top."""
    visible = _visible(request)
    branches = _branches(request, tuning)
    if len(branches) == 1:
        branch, params = branches[0]
        return qe.QueryRequest(limit=request.k, query=branch, filter=visible, params=params, with_payload=True)
    limit = max(request.k, request.candidates)
    prefetches = [qe.Prefetch(limit=limit, query=branch, filter=visible, params=params) for branch, params in branches]
    fusion: Any = qe.Fusion.Rrf(k=payload.RRF_K)
    return qe.QueryRequest(limit=request.k, query=fusion, prefetches=prefetches, filter=visible, with_payload=True)


def _branches(request: SearchRequest, tuning: IndexTuning) -> list[tuple[qe.Query, qe.SearchParams]]:
    branches = []
    if request.dense is not None:
        dense = qe.Query.Nearest(request.dense.tolist(), using=payload.DENSE)
        branches.append((dense, qe.SearchParams(hnsw_ef=max(tuning.ef, request.k), exact=request.exact)))
    if request.lexical is not None:
        lexical = qe.Query.Nearest(_sparse(request.lexical), using=payload.LEXICAL)
        branches.append((lexical, qe.SearchParams()))
    return branches


def _visible(request: SearchRequest) -> qe.Filter:
    must: list[Any] = [
        equals("tenant_id", request.tenant_id),
        qe.FieldCondition("acl", match=qe.MatchAny(["*", *request.groups])),
    ]
    filters = request.filters
    if filters.language is not None:
        must.append(equals("lang", filters.language))
    if filters.source is not None:
        must.append(equals("source", filters.source))
    must.extend(equals("labels", payload.label(key, value)) for key, value in filters.metadata.items())
    gone: list[Any] = [
        qe.FieldCondition("expires_at", range=qe.RangeFloat(lte=request.now_ms)),
        qe.FieldCondition("deleted_at", range=qe.RangeFloat(gte=0)),
    ]
    return qe.Filter(must=must, must_not=gone)


def _language(language: str | None) -> Any:
    return unset("lang") if language is None else equals("lang", language)


def _point(passage: Passage) -> qe.Point:
    held = passage.attributes
    words = encode_passage(passage.text, held.language)
    vectors: dict[str, Any] = {payload.DENSE: passage.dense.tolist(), payload.LEXICAL: _sparse(words)}
    return qe.Point(held.chunk_id, vectors, payload.of_passage(held, passage.text, passage.model))


def _sparse(vector: SparseVector) -> qe.SparseVector:
    return qe.SparseVector(vector.indices.tolist(), vector.values.tolist())
