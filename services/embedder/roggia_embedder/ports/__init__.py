"""What the embedder's domain code needs from the world, as protocols and plain values. Adapters implement them."""

from __future__ import annotations

from roggia_embedder.ports.bills import Bill, BillBox
from roggia_embedder.ports.cache import CacheUse, VectorCache
from roggia_embedder.ports.catalogue import Aliasing, IndexBinding, IndexCatalogue
from roggia_embedder.ports.model import EmbeddingModel, EncodeMetered, Matrix, Spent, TextKind, Took
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
    "Bill",
    "BillBox",
    "CacheUse",
    "CollectionSpec",
    "Document",
    "EmbeddingModel",
    "EncodeMetered",
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
    "Spent",
    "TextKind",
    "Took",
    "VectorCache",
    "VectorStore",
    "head_id",
    "model_stamp",
]
