"""Qdrant Edge: the engine inside this process, one shard directory per collection."""

from __future__ import annotations

from roggia_embedder.adapters.edge.catalogue import EdgeCatalogue
from roggia_embedder.adapters.edge.store import EdgeStore

__all__ = ["EdgeCatalogue", "EdgeStore"]
