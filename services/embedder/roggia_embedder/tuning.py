"""How a collection is built: graph, quantization, when to optimise. Values, not behaviour."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class IndexTuning(BaseModel, frozen=True):
    """Index parameters of new collections. They do not change which vectors are in it, so they may change any time."""

    m: int = Field(16, ge=0, le=128, description="HNSW links per node.")
    ef_construct: int = Field(128, ge=4, le=4096, description="HNSW candidates while building.")
    ef: int = Field(64, ge=1, le=4096, description="HNSW candidates while searching.")
    quantization: Literal["none", "scalar_int8", "turbo_4bit"] = Field(
        "none", description="In-memory quantization of dense vectors. Worth it above about 200,000 points."
    )
    indexing_threshold_kb: int = Field(
        80_000,
        ge=0,
        description="Kilobytes of vectors in a segment from which on a graph is built; below, exact search.",
    )
    optimise_from_points: int = Field(
        50_000,
        ge=0,
        description="Embedded engine, PostgreSQL: index a collection's vectors from this many points on "
        "(below, exact search).",
    )
    ann: Literal["hnsw", "ivfflat"] = Field(
        "hnsw", description="PostgreSQL: index of vectors. ivfflat is built faster, takes less room and finds less."
    )
    lists: int = Field(100, ge=1, le=32_768, description="PostgreSQL, ivfflat: lists that vectors are sorted into.")
    probes: int = Field(10, ge=1, le=32_768, description="PostgreSQL, ivfflat: lists that a search looks into.")


TUNING = IndexTuning.model_validate({})
"""The seed values."""
