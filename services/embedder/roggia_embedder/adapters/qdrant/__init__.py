"""Qdrant server through qdrant-client. The client's local mode is for tests: it is slow and not safe for threads."""

from __future__ import annotations

from roggia_embedder.adapters.qdrant.catalogue import QdrantCatalogue
from roggia_embedder.adapters.qdrant.store import QdrantStore

__all__ = ["QdrantCatalogue", "QdrantStore"]
