"""Every vector store that can be had here, with its catalogue: for the suite that all of them pass."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from roggia_embedder.adapters.edge import EdgeCatalogue, EdgeStore
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.adapters.pgvector import PgvectorCatalogue, PgvectorStore
from roggia_embedder.adapters.qdrant import QdrantCatalogue, QdrantStore
from roggia_embedder.adapters.weaviate import WeaviateCatalogue, WeaviateStore
from roggia_embedder.ports import VectorStore

from tests.support.index import COLLECTION, SPEC
from tests.support.weaviate import FakeWeaviate

PGVECTOR_URL = "ROGGIA_TEST_PGVECTOR_URL"
KINDS = ["memory", "edge", "qdrant-local", "qdrant-server", "pgvector", "pgvector-server", "weaviate-stand-in"]


@pytest.fixture(params=KINDS)
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple]:
    """A store and the catalogue that goes with it."""
    store, catalogue = await _stand_in() if request.param == "weaviate-stand-in" else _make(request, tmp_path)
    await store.ensure_collection(SPEC)
    yield store, catalogue
    if request.param.endswith("-server"):
        await store.drop_collection(COLLECTION)
    await store.close()


async def _stand_in() -> tuple:
    """Weaviate's adapter against what is said to be its interface. No evidence about a server."""
    server = TestServer(FakeWeaviate().application())
    await server.start_server()
    store = WeaviateStore.connect(f"http://127.0.0.1:{server.port}")
    store.client.close = _both(store.client.close, server.close)
    return store, WeaviateCatalogue(store)


def _both(*calls: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def together() -> None:
        for call in calls:
            await call()

    return together


def _make(request: pytest.FixtureRequest, path: Path) -> tuple:
    kind = request.param
    if kind == "memory":
        return MemoryStore(), MemoryCatalogue()
    if kind == "edge":
        return EdgeStore(path), EdgeCatalogue(path)
    if kind.startswith("pgvector"):
        own = kind == "pgvector"
        postgres = PgvectorStore.connect(request.getfixturevalue("pgvector_dsn") if own else _url(PGVECTOR_URL))
        return postgres, PgvectorCatalogue(postgres.database)
    store = QdrantStore.connect(":memory:" if kind == "qdrant-local" else _url("QDRANT_URL"))
    return store, QdrantCatalogue(store)


def _url(variable: str) -> str:
    return os.environ.get(variable) or pytest.skip(f"{variable} is not set: no such server to test against")


@pytest.fixture
def store(pair: tuple) -> VectorStore:
    """The store alone."""
    return pair[0]
