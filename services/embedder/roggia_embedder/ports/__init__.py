"""What the embedder's domain code needs from the world, as protocols and plain values. Adapters implement them."""

from __future__ import annotations

from roggia_embedder.ports.cache import CacheUse, VectorCache
from roggia_embedder.ports.catalogue import Aliasing, IndexBinding, IndexCatalogue
from roggia_embedder.ports.model import EmbeddingModel, Matrix, TextKind
from roggia_embedder.ports.search import Filters, Hit, SearchRequest
from roggia_embedder.ports.source import ModelSource
from roggia_embedder.ports.store import Searching, VectorStore
from roggia_embedder.ports.values import (
    Attributes,
    CollectionSpec,
    Document,
    Head,
    PartNote,
    PartTally,
    Passage,
    PointState,
    SparseVector,
    head_id,
    model_stamp,
)

__all__ = [
    "Aliasing",
    "Attributes",
    "CacheUse",
    "CollectionSpec",
    "Document",
    "EmbeddingModel",
    "Filters",
    "Head",
    "Hit",
    "IndexBinding",
    "IndexCatalogue",
    "Matrix",
    "ModelSource",
    "PartNote",
    "PartTally",
    "Passage",
    "PointState",
    "SearchRequest",
    "Searching",
    "SparseVector",
    "TextKind",
    "VectorCache",
    "VectorStore",
    "head_id",
    "model_stamp",
]
