"""Weaviate over its REST and GraphQL interface. **Not tried against a server**: see docs/design/index-writes.md.

Its own client is not used: it sends queries and batches over gRPC alone, and pins a grpcio and a protobuf older than
those that the rest of an installation has. Integers travel as `number`, since GraphQL's `Int` has 32 bits.
"""

from __future__ import annotations

from roggia_embedder.adapters.weaviate.catalogue import WeaviateCatalogue
from roggia_embedder.adapters.weaviate.store import WeaviateStore

__all__ = ["WeaviateCatalogue", "WeaviateStore"]
