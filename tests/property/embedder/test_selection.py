"""A generation that holds some knowledge bases, under documents that move in and out of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_embedder.adapters.memory import MemoryStore
from roggia_embedder.ports import Head
from roggia_runtime.generations import holds
from roggia_runtime.records import Done, Drop, Record
from roggia_schemas.events import DocChunked

from tests.support import upserting
from tests.support.embedding import CountingModel, MemoryCache, chunk_set, handler, record

DOMAINS = ("docs", "faq", "law")
SELECTION = ("acme/docs", "acme/faq", "other/*")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")), st.sampled_from(("acme", "other", "third")), st.sampled_from((*DOMAINS, ""))
    ),
    min_size=1,
    max_size=12,
)


def history(steps: Sequence[tuple[str, str, str]]) -> list[DocChunked]:
    """Chunk sets as ingest writes them: a document names the domain that it has left; an empty domain deletes it."""
    where: dict[tuple[str, str], str] = {}
    events = []
    for revision, (doc_id, tenant, domain) in enumerate(steps, start=1):
        before = where.get((tenant, doc_id), "")
        now = domain or before or "docs"
        left = (before,) if before and before != now else ()
        texts = [f"words of {doc_id} {revision}"] if domain else []
        events.append(chunk_set(doc_id, texts, revision, tenant_id=tenant, domain=now, left_domains=left))
        where[tenant, doc_id] = now
    return events


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_the_index_holds_what_is_in_the_selection_now_and_nothing_else(steps: list[tuple[str, str, str]]) -> None:
    """Whatever moved where: of every document the newest version, if it lives inside; no collection of another
    knowledge base; no text of one encoded, except what was inside when it was written."""
    asyncio.run(_check(history(steps)))


async def _check(events: list[DocChunked]) -> None:
    model, cache, store = CountingModel(), MemoryCache(), MemoryStore()
    embed, upsert = handler(model, cache, selection=SELECTION), upserting.handler(store)
    for event in events:
        (verdict,) = await embed.handle([record(event)])
        inside = [d for d in (event.domain, *event.left_domains) if holds(SELECTION, event.tenant_id, d)]
        assert isinstance(verdict, Done if inside else Drop), verdict
        for output in verdict.outputs if isinstance(verdict, Done) else ():
            (written,) = await upsert.handle([Record(output.topic, 0, 0, 0, output.key, output.value)])
            assert isinstance(written, Done), written
    newest = {(event.tenant_id, event.doc_id): event for event in events}
    expected = {
        (f"kb_{tenant}_{event.domain}__g1", doc_id, event.revision)
        for (tenant, doc_id), event in newest.items()
        if not event.deleted and holds(SELECTION, tenant, event.domain)
    }
    assert await _living(store) == expected
    lived = {c.text for e in events if holds(SELECTION, e.tenant_id, e.domain) for c in e.chunks}
    assert set(model.encoded) == lived
    assert len(cache.vectors) == len(expected)


async def _living(store: MemoryStore) -> set[tuple[str, str, int]]:
    found = set()
    for spec in await store.collections():
        _, tenant, rest = spec.name.split("_", 2)
        assert holds(SELECTION, tenant, rest.partition("__")[0])
        async for point in store.scan(spec.name):
            if not isinstance(point, Head):
                held = point.attributes
                found.add((spec.name, held.document.doc_id, held.version.revision))
    return found
