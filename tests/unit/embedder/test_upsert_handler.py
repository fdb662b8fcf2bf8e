"""The verdicts of the upsert role."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.ports import Passage
from roggia_runtime.records import DeadLetter, Done, Drop, Record
from roggia_schemas import topics
from roggia_schemas.events import DocEmbedded

from tests.support.index import contents
from tests.support.upserting import MODEL, deletion, handler, record, revision, upserted

DOCS, NOTES = "kb_acme_docs__g1", "kb_acme_notes__g1"


async def test_an_event_says_what_it_changed() -> None:
    """doc.upserted counts added, kept and removed points, and what was embedded or cached, and names the index."""
    stage = handler()
    await stage.handle([record(revision("a", ["one", "two", "three"]))])
    event = revision("a", ["two", "four"], 2)
    chunks = (msgspec.structs.replace(event.chunks[0], cached=True), event.chunks[1])
    (verdict,) = await stage.handle([record(msgspec.structs.replace(event, chunks=chunks))])
    told = upserted(verdict)
    assert (told.chunks, told.added, told.kept, told.removed) == (2, 1, 1, 2)
    assert (told.embedded, told.cached) == (1, 1)
    assert (told.collection, told.generation, told.model) == (DOCS, 1, MODEL)
    assert (told.parent_event_id, told.indexed_at, told.deleted) == (event.parent_event_id, 99, False)


async def test_the_trace_goes_on() -> None:
    """The produced record continues the trace of the record that caused it."""
    (verdict,) = await handler().handle([record(revision("a", ["one"]))])
    assert isinstance(verdict, Done)
    headers = dict(verdict.outputs[0].headers)
    assert headers["traceparent"].split(b"-")[1] == b"a" * 32
    assert headers["ce_type"] == b"roggia.doc.upserted"


async def test_a_redelivery_answers_with_the_same_event() -> None:
    """After a crash between the index and the brokers, the same doc.upserted comes again, byte for byte."""
    stage = handler()
    first = await stage.handle([record(revision("a", ["one"])), record(deletion("b", 4), 1)])
    again = await stage.handle([record(revision("a", ["one"])), record(deletion("b", 4), 1)])
    assert [verdict.outputs[0].value for verdict in first] == [verdict.outputs[0].value for verdict in again]


async def test_only_the_last_part_completes_a_revision() -> None:
    """Parts in any order: nothing is announced until all passages are there, then the counts cover every part."""
    whole = revision("a", ["one", "two", "three"])
    parts = [
        msgspec.structs.replace(
            whole, part=number, parts=2, chunks=whole.chunks[cut], vectors=whole.vectors.reshape(3, 8)[cut].ravel()
        )
        for number, cut in enumerate([slice(0, 2), slice(2, 3)])
    ]
    stage = handler()
    first, second = await stage.handle([record(parts[1]), record(parts[0], 1)])
    assert first == Done()
    told = upserted(second)
    assert (told.chunks, told.added, told.embedded) == (3, 3, 3)


async def test_older_events_change_nothing_also_after_a_deletion() -> None:
    """A deletion is remembered: late and replayed older revisions are dropped as stale and stay out of the index."""
    store = MemoryStore()
    stage = handler(store)
    old, new = revision("a", ["one"], 1), revision("a", ["two"], 2)
    gone, late, replayed = await stage.handle([record(deletion("a", 3)), record(new, 1), record(old, 2)])
    assert upserted(gone).deleted
    assert late == replayed == Drop("stale")
    heads, passages = await contents(store, DOCS)
    assert passages == set()
    assert [head.deleted for head in heads.values()] == [True]


async def test_a_move_deletes_in_the_domains_that_were_left() -> None:
    """One event puts the document in its new domain and a deletion in the old one, and counts what left."""
    store = MemoryStore()
    stage = handler(store)
    await stage.handle([record(revision("a", ["one", "two"]))])
    moved = revision("a", ["one"], 2, domain="notes", left_domains=("docs",))
    (verdict,) = await stage.handle([record(moved)])
    told = upserted(verdict)
    assert (told.collection, told.added, told.removed) == (NOTES, 1, 2)
    assert (await contents(store, DOCS))[1] == set()
    assert {row[2] for row in (await contents(store, NOTES))[1]} == {"one"}
    (late,) = await stage.handle([record(revision("a", ["one", "two"]))])
    assert late == Drop("stale")


async def test_other_content_under_the_same_version_is_refused() -> None:
    """A version is written once: other content under it is a dead letter, and the index keeps the first."""
    store = MemoryStore()
    stage = handler(store)
    await stage.handle([record(revision("a", ["one"]))])
    (verdict,) = await stage.handle([record(revision("a", ["two"]))])
    assert isinstance(verdict, DeadLetter)
    assert (verdict.kind, verdict.field) == ("invalid", "revision")
    assert {row[2] for row in (await contents(store, DOCS))[1]} == {"one"}


async def test_the_alias_is_bound_with_the_first_event_and_kept() -> None:
    """The first generation of a knowledge base takes its alias; a later one does not take it away."""
    catalogue = MemoryCatalogue()
    await handler(catalogue=catalogue).handle([record(revision("a", ["one"]))])
    bound = await catalogue.resolve("acme", "docs")
    assert bound is not None
    assert (bound.collection, bound.model, bound.dimension) == (DOCS, MODEL, 8)
    moved = dataclasses.replace(bound, collection="kb_acme_docs__g7", generation=7)
    await catalogue.bind(moved)
    await handler(catalogue=catalogue).handle([record(revision("b", ["one"]))])
    assert await catalogue.resolve("acme", "docs") == moved


async def test_vectors_of_another_model_never_enter_a_collection() -> None:
    """Same dimension, other model: a dead letter that names both, since the mix would be silent nonsense."""
    stage = handler()
    await stage.handle([record(revision("a", ["one"]))])
    (verdict,) = await stage.handle([record(revision("b", ["one"], model="int8;dim=8"))])
    assert isinstance(verdict, DeadLetter)
    assert (verdict.kind, verdict.field) == ("policy", "model")
    assert "int8" in verdict.message
    assert MODEL in verdict.message


async def test_a_deletion_before_anything_else_is_remembered() -> None:
    """Out of order or not: a deletion heard first keeps the older revision out, in a collection made for it."""
    stage = handler()
    (gone,) = await stage.handle([record(deletion("a", 5))])
    (late,) = await stage.handle([record(revision("a", ["one"], 4))])
    assert upserted(gone).removed == 0
    assert late == Drop("stale")


BAD: list[tuple[str, dict[str, Any]]] = [
    ("occurred_at", {"occurred_at": 2**62}),
    ("acl", {"acl": ()}),
    ("generation", {"generation": 2}),
    ("revision", {"revision": 2**53}),
    ("domain", {"domain": "Not_a_slug"}),
    ("part", {"part": 2, "parts": 2}),
    ("dimension", {"dimension": 0, "vectors": np.empty(0, np.float32)}),
    ("vectors", {"vectors": np.full(16, np.nan, np.float32)}),
    ("vectors", {"vectors": np.zeros(16, np.float32)}),
    ("chunks", {"chunk_ids": ()}),
    ("chunk_ids", {"deleted": True}),
]


@pytest.mark.parametrize(("field", "change"), BAD)
async def test_unfit_events_are_dead_letters_that_name_the_field(field: str, change: dict[str, Any]) -> None:
    """What can never be written is refused with its field; the good event beside it arrives."""
    event = msgspec.structs.replace(revision("a", ["one", "two"]), **change)
    bad, good = await handler().handle([record(event, key=b"acme/a"), record(revision("b", ["one"]), 1)])
    assert isinstance(bad, DeadLetter), bad
    assert bad.field == field
    assert field in bad.message
    assert upserted(good).added == 1


async def test_a_chunk_named_twice_is_refused() -> None:
    """Ids in one write must be distinct: the engine would let the last one win."""
    event = revision("a", ["one", "one"])
    (verdict,) = await handler().handle([record(event)])
    assert isinstance(verdict, DeadLetter)
    assert verdict.field == "chunk_ids"


@pytest.mark.parametrize("key", [b"acme/other", b"no-slash", b"\xff/a"])
async def test_a_wrong_key_is_refused(key: bytes) -> None:
    """Order per document hangs on the key."""
    (verdict,) = await handler().handle([record(revision("a", ["one"]), key=key)])
    assert isinstance(verdict, DeadLetter)
    assert verdict.field == "key"


async def test_bytes_that_are_no_event_are_refused() -> None:
    """Broken values are dead letters, nulls are nothing to do."""
    good = record(revision("a", ["one"]))
    broken, null = await handler().handle(
        [dataclasses.replace(good, value=b"\x01nonsense"), dataclasses.replace(good, value=None)]
    )
    assert isinstance(broken, DeadLetter)
    assert broken.kind == "schema"
    assert null == Drop("tombstone")


async def test_one_batch_of_many_documents_takes_few_store_calls() -> None:
    """Store calls do not grow with the number of documents in a batch."""

    class Counting(MemoryStore):
        calls = 0

        def __getattribute__(self, name: str) -> Any:
            if not name.startswith("_") and name != "calls":
                type(self).calls += 1
            return super().__getattribute__(name)

    def batch(size: int) -> list[DocEmbedded]:
        return [revision(f"d{number}", ["one", "two"]) for number in range(size)]

    counts = []
    for size in (1, 60):
        Counting.calls = 0
        await handler(Counting()).handle([record(event, place) for place, event in enumerate(batch(size))])
        counts.append(Counting.calls)
    assert counts[0] == counts[1] <= 9


def replayed(event: DocEmbedded, **headers: str) -> Record:
    """The event with replay headers."""
    more = tuple((f"roggia_replay_{name}", value.encode()) for name, value in headers.items())
    return replace(record(event), topic=topics.replay(topics.doc_embedded(1)), headers=more)


class Forgetful(MemoryStore):
    """Notes which passages were written whole."""

    def __init__(self) -> None:
        super().__init__()
        self.upserted: list[str] = []

    async def upsert(self, collection: str, passages: Sequence[Passage]) -> None:
        """Note the texts."""
        self.upserted += [passage.text for passage in passages]
        await super().upsert(collection, passages)


async def test_renewal_writes_every_passage_anew() -> None:
    """A higher version bumps what stays, unless its record asks to be renewed: the index may hold it wrong."""
    store = Forgetful()
    stage = handler(store)
    await stage.handle([record(revision("a", ["one", "two"]))])
    store.upserted.clear()
    await stage.handle([record(revision("a", ["one", "two"], epoch=1))])
    assert store.upserted == []
    (done,) = await stage.handle([replayed(revision("a", ["one", "two"], epoch=2), job="j", mode="renew")])
    assert sorted(store.upserted) == ["one", "two"]
    assert isinstance(done, Done)
    assert ("roggia_replay_job", b"j") in done.outputs[0].headers


async def test_a_side_collection_gets_what_names_it_and_no_alias() -> None:
    """A replay into another collection leaves the one that readers see as it is."""
    store, catalogue = MemoryStore(), MemoryCatalogue()
    stage = handler(store, catalogue)
    (done,) = await stage.handle([replayed(revision("a", ["one"]), job="j", collection="trial")])
    assert upserted(done).collection == "kb_acme_docs__trial"
    assert [spec.name for spec in await store.collections()] == ["kb_acme_docs__trial"]
    assert await catalogue.resolve("acme", "docs") is None


@pytest.mark.parametrize("suffix", ["g2", "Wrong_", "-x"])
async def test_a_side_collection_is_no_generation(suffix: str) -> None:
    """A replay cannot write into another generation's collection, nor under a name that is none."""
    (verdict,) = await handler().handle([replayed(revision("a", ["one"]), job="j", collection=suffix)])
    assert isinstance(verdict, DeadLetter)
    assert verdict.field == "roggia_replay_collection"


async def test_only_the_generation_that_serves_takes_an_alias_that_nobody_has() -> None:
    """Another one writes its collection and leaves readers to the record; every new collection is told of, once."""
    store, catalogue, made = MemoryStore(), MemoryCatalogue(), list[int]()
    waiting = handler(
        store, catalogue, serves=lambda tenant, domain: (tenant, domain) == ("acme", "law"), made=lambda: made.append(1)
    )
    await waiting.handle([record(revision("a", ["one"])), record(revision("b", ["two"], domain="law"))])
    await waiting.handle([record(revision("a", ["one"], 2))])
    assert await catalogue.resolve("acme", "docs") is None
    bound = await catalogue.resolve("acme", "law")
    assert bound is not None
    assert bound.collection == "kb_acme_law__g1"
    assert len(made) == 2
