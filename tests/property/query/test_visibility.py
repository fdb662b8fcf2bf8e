"""Promise 5: no result is ever outside tenant and ACL, none is deleted or expired, in every mode, on every store."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.index_writer import IndexWriter
from roggia_embedder.ports import VectorStore
from roggia_embedder.query import api
from roggia_embedder.query.models import Models
from roggia_embedder.query.search import Searcher

from tests.support.query import binding, spec
from tests.support.visibility import MODEL, NOW, TENANTS, Corpus, corpora, requests

SHARED = "kb_shared_docs__g1"


async def answers(
    store: VectorStore, corpus: Corpus, asked: list[api.SearchRequest], collection: str = SHARED
) -> list[tuple[api.Passage, ...]]:
    """Write the corpus of all tenants into one collection, and search it once per request."""
    catalogue = MemoryCatalogue()
    for tenant in TENANTS:
        await catalogue.bind(replace(binding(MODEL, tenant), collection=collection))
    await store.ensure_collection(spec(replace(binding(MODEL), collection=collection)))
    await IndexWriter(store, lambda: NOW).write(collection, corpus.deliveries())
    models = Models([MODEL])
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
