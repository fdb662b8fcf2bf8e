"""Any order, any crash, any overlap of writers: the index ends as the newest version of each document says."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_embedder.adapters.memory import MemoryStore
from roggia_embedder.indexing.writer import Complete, Delivery, IndexWriter
from roggia_schemas.names import Version

from tests.support.index import COLLECTION, SPEC, Content, contents, deliveries, document, expected
from tests.support.interleaving import run_interleaved
from tests.support.stepped import SteppedStore, Stepper

TEXTS = ("alpha", "beta", "gamma", "delta", "epsilon")

content = st.builds(
    Content,
    texts=st.lists(st.sampled_from(TEXTS), unique=True, max_size=4).map(tuple),
    acl=st.sampled_from([("*",), ("staff",), ("staff", "board")]),
    language=st.sampled_from(["en", "de"]),
    title=st.sampled_from(["", "one", "two"]),
) | st.just(Content(texts=(), acl=(), deleted=True))
versions = st.dictionaries(
    st.builds(Version, st.sampled_from([0, 1, 2, 2**53 - 2, 2**53 - 1]), st.integers(0, 2)),
    content,
    min_size=1,
    max_size=4,
)


def _corpus(data: st.DataObject) -> dict:
    owners = [document(name) for name in data.draw(st.sampled_from(["a", "a", "ab"]))]
    return {owner: data.draw(versions) for owner in owners}


def _jobs(data: st.DataObject, corpus: dict) -> list[list[Delivery]]:
    every = [
        delivery
        for owner, held in corpus.items()
        for version, said in held.items()
        for delivery in deliveries(owner, version, said, parts=data.draw(st.integers(1, 2)) if said.texts else 1)
    ]
    replays = data.draw(st.lists(st.sampled_from(every), max_size=3))
    order = data.draw(st.permutations(every + replays))
    jobs: list[list[Delivery]] = []
    while order:
        size = data.draw(st.sampled_from([1, 1, 3]))
        jobs.append(order[:size])
        order = order[size:]
    return jobs


@settings(max_examples=400, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_two_writers_that_crash_end_at_the_newest_version(data: st.DataObject, seed: int) -> None:
    """Whatever the interleaving of two writers, parts, replays and crashes, exactly the newest version remains."""
    corpus = _corpus(data)
    store = MemoryStore()
    asyncio.run(store.ensure_collection(SPEC))
    run_interleaved(random.Random(seed), store, _jobs(data, corpus))
    heads, rows = asyncio.run(contents(store))
    assert rows == expected(corpus)
    assert {owner: head.version for owner, head in heads.items()} == {
        owner: max(held) for owner, held in corpus.items()
    }


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_replay_writes_nothing_and_repeats_the_answer(data: st.DataObject) -> None:
    """Once a version is indexed, delivering it again changes no point and reports the same counts."""
    owner, version, said = document("a"), Version(5, 1), data.draw(content)
    store = MemoryStore()
    asyncio.run(store.ensure_collection(SPEC))
    writer = IndexWriter(store, iter(range(1, 100)).__next__)
    earlier = deliveries(owner, Version(4, 0), data.draw(content))
    parts = deliveries(owner, version, said, parts=2 if len(said.texts) > 1 else 1)
    asyncio.run(writer.write(COLLECTION, earlier))
    first = [asyncio.run(writer.write(COLLECTION, [part]))[0] for part in parts][-1]
    before = asyncio.run(contents(store))
    again = asyncio.run(writer.write(COLLECTION, [*parts, *earlier]))
    assert isinstance(first, Complete)
    assert again[: len(parts)] == [first] * len(parts)
    assert asyncio.run(contents(store)) == before


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_searchable_document_is_never_empty_while_it_is_replaced(data: st.DataObject) -> None:
    """From one non-empty version to the next, some passage is there after every single store call."""
    filled = content.filter(lambda said: bool(said.texts))
    owner, store = document("a"), MemoryStore()
    asyncio.run(store.ensure_collection(SPEC))
    asyncio.run(IndexWriter(store, lambda: 7).write(COLLECTION, deliveries(owner, Version(1), data.draw(filled))))
    said = data.draw(filled)
    for part in deliveries(owner, Version(2), said, parts=min(2, len(said.texts))):
        stepper = Stepper(IndexWriter(SteppedStore(store), lambda: 7).write(COLLECTION, [part]))
        while not stepper.done:
            stepper.step()
            assert asyncio.run(contents(store))[1]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_groups_that_lost_access_see_nothing_once_anything_new_is_there(data: st.DataObject) -> None:
    """A new version's passages appear only after every older passage has lost the groups that it no longer admits."""
    owner, store = document("a"), MemoryStore()
    asyncio.run(store.ensure_collection(SPEC))
    wide = Content(texts=TEXTS[:4], acl=data.draw(st.sampled_from([("*",), ("staff", "board"), ("board",)])))
    narrow = Content(
        texts=data.draw(st.lists(st.sampled_from(TEXTS), unique=True, min_size=1).map(tuple)), acl=("staff",)
    )
    asyncio.run(IndexWriter(store, lambda: 7).write(COLLECTION, deliveries(owner, Version(1), wide)))
    stepper = Stepper(
        IndexWriter(SteppedStore(store), lambda: 7).write(COLLECTION, deliveries(owner, Version(2), narrow))
    )
    while not stepper.done:
        stepper.step()
        _, rows = asyncio.run(contents(store))
        if any(row[1] == Version(2) for row in rows):
            assert all(set(row[3]) <= {"staff"} for row in rows)
