"""PostgreSQL with pgvector: several processes may write and read at once; guards are conditions of the statements."""

from __future__ import annotations

from roggia_embedder.adapters.pgvector.catalogue import PgvectorCatalogue
from roggia_embedder.adapters.pgvector.store import PgvectorStore

__all__ = ["PgvectorCatalogue", "PgvectorStore"]
