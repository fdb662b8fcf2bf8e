"""Searches in PostgreSQL while what they find is being replaced."""

from __future__ import annotations

from typing import Any

import pytest
from roggia_embedder.adapters.pgvector import PgvectorStore
from roggia_embedder.adapters.pgvector.searching import Search
from roggia_embedder.lexical import encode_query
from roggia_embedder.ports import SearchRequest
from roggia_schemas.names import Version

from tests.support.index import COLLECTION, SPEC, document, passage, vector

DOC = document("edited")
WORDS = "the mark at"


async def test_a_document_that_is_edited_is_never_missing(pgvector_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its old passage goes, and its new one is there, between the moment a search finds it and reads it: the search
    answers with the new one."""
    store = PgvectorStore.connect(pgvector_dsn)
    try:
        await store.ensure_collection(SPEC)
        await store.upsert(COLLECTION, [passage(DOC, Version(1), f"{WORDS} 1")])
        read, edits = Search._hits, 0

        async def edited_before(self: Search, scored: Any) -> Any:
            nonlocal edits
            if edits < 2:
                edits += 1
                newest = Version(1 + edits)
                await store.upsert(COLLECTION, [passage(DOC, newest, f"{WORDS} {newest.revision}")])
                await store.delete_older(COLLECTION, {DOC: newest})
            return await read(self, scored)

        monkeypatch.setattr(Search, "_hits", edited_before)
        request = SearchRequest(
            tenant_id="acme", groups=(), k=1, now_ms=0, dense=vector(WORDS), lexical=encode_query(WORDS, ("en",))
        )
        assert [hit.version for hit in await store.search(COLLECTION, request)] == [Version(3)]
    finally:
        await store.close()
