"""How a collection is created on a Qdrant server, and how its spec is read back."""

from __future__ import annotations

from typing import Any

from qdrant_client import models as m

from roggia_embedder.adapters import payload
from roggia_embedder.ports import CollectionSpec
from roggia_embedder.tuning import IndexTuning


def creation(spec: CollectionSpec, tuning: IndexTuning) -> dict[str, Any]:
    """Arguments of `create_collection`."""
    return {
        "collection_name": spec.name,
        "vectors_config": {payload.DENSE: m.VectorParams(size=spec.dimension, distance=m.Distance.COSINE)},
        "sparse_vectors_config": {payload.LEXICAL: m.SparseVectorParams(modifier=m.Modifier.IDF)},
        "hnsw_config": m.HnswConfigDiff(m=tuning.m, ef_construct=tuning.ef_construct),
        "quantization_config": _quantization(tuning),
        "optimizers_config": m.OptimizersConfigDiff(indexing_threshold=tuning.indexing_threshold_kb),
        "metadata": {"model": spec.model, "generation": spec.generation, "dimension": spec.dimension},
    }


def _quantization(tuning: IndexTuning) -> Any:
    if tuning.quantization == "scalar_int8":
        return m.ScalarQuantization(
            scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.99, always_ram=True)
        )
    if tuning.quantization == "turbo_4bit":
        bits = m.TurboQuantBitSize.BITS4
        return m.TurboQuantization(turbo=m.TurboQuantQuantizationConfig(bits=bits, always_ram=True))
    return None


def indexes() -> dict[str, Any]:
    """Payload indexes, to be created before data."""
    integer = m.IntegerIndexParams(type=m.IntegerIndexType.INTEGER, lookup=False, range=True)
    tenant = m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD, is_tenant=True)
    keywords = dict.fromkeys(payload.KEYWORDS, m.PayloadSchemaType.KEYWORD)
    return {"tenant_id": tenant, **keywords, **dict.fromkeys(payload.INTEGERS, integer)}


def spec_of(name: str, info: m.CollectionInfo) -> CollectionSpec | None:
    """The spec stored with a collection, or None when the collection is not one of ours."""
    metadata = info.config.metadata or {}
    if not {"model", "generation", "dimension"} <= metadata.keys():
        return None
    return CollectionSpec(name, metadata["generation"], metadata["model"], metadata["dimension"])
