"""Promise 5: no result is ever outside tenant and ACL, none is deleted or expired, in every mode, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from roggia_embedder.adapters.edge import EdgeStore
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.indexing.writer import IndexWriter
from roggia_embedder.ports import VectorStore
from roggia_embedder.query import api
from roggia_embedder.query.models import Models
from roggia_embedder.query.search import Searcher

from tests.support.query import binding, spec
from tests.support.visibility import MODEL, NOW, Corpus, corpora, requests

SHARED = "kb_shared_docs__g1"


async def answers(
    store: VectorStore, corpus: Corpus, asked: list[api.SearchRequest], collection: str = SHARED
) -> list[tuple[api.Passage, ...]]:
    """Write the corpus of all tenants into one collection, and search it once per request."""
    catalogue = MemoryCatalogue()
    for tenant in {request.tenant for request in asked}:
        await catalogue.bind(replace(binding(MODEL, tenant), collection=collection))
    await store.ensure_collection(spec(replace(binding(MODEL), collection=collection)))
    await IndexWriter(store, lambda: NOW).write(collection, corpus.deliveries())
    models = Models([MODEL])
    await models.start()
    searcher = Searcher(catalogue, store, models, now_ms=lambda: NOW, languages=("en", "de"))
    found = [(await searcher.search(request)).passages for request in asked]
    await models.close()
    return found


def check(corpus: Corpus, request: api.SearchRequest, found: tuple[api.Passage, ...]) -> None:
    """Nothing forbidden was found; and with room for everything, everything allowed was."""
    ids = [passage.chunk_id for passage in found]
    assert len(ids) == len(set(ids)) <= request.k
    assert set(ids) <= corpus.visible(request)
    if request.k == api.MAX_K:
        whole = corpus.matching(request) if request.mode is api.Mode.LEXICAL else corpus.visible(request)
        assert set(ids) == whole


@given(corpus=corpora(), asked=st.lists(requests, min_size=1, max_size=3))
@settings(max_examples=500, deadline=None)
def test_nobody_finds_what_is_not_theirs(corpus: Corpus, asked: list[api.SearchRequest]) -> None:
    """500 random corpora in one shared collection, written in any order with replays: results are exactly what tenant,
    groups, expiry, deletion and filters leave."""
    for request, found in zip(asked, asyncio.run(answers(MemoryStore(), corpus, asked)), strict=True):
        check(corpus, request, found)


@dataclass
class Embedded:
    """One Edge store, kept open over all examples. Every example has tenants of its own in one shared collection, so
    what earlier examples left behind is one more thing that must stay invisible."""

    store: EdgeStore
    loop: asyncio.AbstractEventLoop
    examples: Iterator[int]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """An Edge store in a new folder."""
    loop = asyncio.new_event_loop()
    store = EdgeStore(Path(tmp_path_factory.mktemp("edge")))
    yield Embedded(store, loop, count())
    loop.run_until_complete(store.close())
    loop.close()


@given(corpus=corpora(), asked=st.lists(requests, min_size=1, max_size=3))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_engine_keeps_the_same_promise(embedded: Embedded, corpus: Corpus, asked: list[api.SearchRequest]) -> None:
    """80 random corpora in the real engine: the same promise, with everything of other examples in the collection."""
    own = f"-{next(embedded.examples)}"
    renamed = corpus.renamed(own)
    asked = [msgspec.structs.replace(request, tenant=request.tenant + own) for request in asked]
    found = embedded.loop.run_until_complete(answers(embedded.store, renamed, asked))
    for request, passages in zip(asked, found, strict=True):
        check(renamed, request, passages)
