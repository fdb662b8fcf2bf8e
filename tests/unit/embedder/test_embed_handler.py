"""The verdicts of the embed role."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest
from roggia_runtime.records import DeadLetter, Done, Drop, Record
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import DocChunked

from tests.support.embedding import CountingModel, MemoryCache, chunk_set, handler, parts, record


async def test_every_chunk_gets_the_vector_of_its_text() -> None:
    """The emitted rows are the model's vectors of the texts, in the chunks' order."""
    model = CountingModel()
    (verdict,) = await handler(model).handle([record(chunk_set("a", ["one river", "two mills", "one river"]))])
    (event,) = parts(verdict)
    rows = event.vectors.reshape(3, model.dimension)
    np.testing.assert_array_equal(rows, model.encode(["one river", "two mills", "one river"]))
    assert event.chunk_ids == tuple(chunk.chunk_id for chunk in event.chunks)
    assert [chunk.cached for chunk in event.chunks] == [False, False, True]


async def test_known_texts_are_not_encoded_again() -> None:
    """A rename, a replay and an edit cost only the texts that are new."""
    model, cache = CountingModel(), MemoryCache()
    stage = handler(model, cache)
    await stage.handle([record(chunk_set("a", ["one", "two"]))])
    model.encoded.clear()
    await stage.handle([record(chunk_set("a", ["one", "two"]))])
    await stage.handle([record(chunk_set("renamed", ["one", "two"]))])
    await stage.handle([record(chunk_set("a", ["one", "three", "two"], revision=2))])
    assert model.encoded == ["three"]


async def test_vectors_are_not_shared_between_tenants() -> None:
    """A cache hit would tell one tenant that another holds the same text."""
    model, cache = CountingModel(), MemoryCache()
    await handler(model, cache).handle([record(chunk_set("a", ["secret"]))])
    await handler(model, cache).handle([record(chunk_set("a", ["secret"], tenant_id="globex"))])
    assert model.encoded == ["secret", "secret"]


async def test_a_deletion_erases_what_was_computed_from_the_document() -> None:
    """The deletion is passed on without vectors, and the cache holds nothing of the document."""
    model, cache = CountingModel(), MemoryCache()
    (_, verdict) = await handler(model, cache).handle([record(chunk_set("a", ["x"])), record(chunk_set("a", [], 2), 1)])
    (event,) = parts(verdict)
    assert event.deleted
    assert (len(event.chunks), len(event.vectors), event.dimension) == (0, 0, 0)
    assert cache.vectors == {}


async def test_a_chunk_beyond_the_window_is_refused_and_the_others_pass() -> None:
    """A text that the model would cut makes a dead letter that says so; its neighbours in the batch are embedded."""
    model = CountingModel(window=102)
    long, short = chunk_set("long", ["word " * 103]), chunk_set("short", ["fits"])
    refused, passed = await handler(model).handle([record(long), record(short, 1)])
    assert isinstance(refused, DeadLetter)
    assert (refused.kind, refused.field) == ("oversize", "chunks.text")
    assert "103" in refused.message
    assert isinstance(passed, Done)


async def test_a_chunker_larger_than_the_window_is_refused() -> None:
    """The event names its chunker's maximum; with special tokens it must fit the model's window."""
    (verdict,) = await handler(CountingModel(window=512)).handle([record(chunk_set("a", ["x"], max_chunk_tokens=511))])
    assert isinstance(verdict, DeadLetter)
    assert (verdict.kind, verdict.field) == ("policy", "max_chunk_tokens")


async def test_a_text_that_is_not_what_its_hash_says_never_enters_the_cache() -> None:
    """A wrong hash would give other documents a wrong vector."""
    good = chunk_set("a", ["x"])
    bad = msgspec.structs.replace(good, chunks=(msgspec.structs.replace(good.chunks[0], text="y"),))
    cache = MemoryCache()
    (verdict,) = await handler(cache=cache).handle([record(bad)])
    assert isinstance(verdict, DeadLetter)
    assert verdict.field == "chunks.text_sha256"
    assert cache.vectors == {}


async def test_a_key_of_another_document_is_refused() -> None:
    """Order is kept per key: an event under another key could overtake its own document's events."""
    moved = dataclasses.replace(record(chunk_set("a", ["x"])), key=b"acme/b")
    (verdict,) = await handler().handle([moved])
    assert isinstance(verdict, DeadLetter)
    assert verdict.field == "key"


@pytest.mark.parametrize(("field", "change"), [("occurred_at", {"occurred_at": 2**62}), ("chunks", {"deleted": True})])
async def test_what_no_event_can_be_made_of_is_refused(field: str, change: dict[str, Any]) -> None:
    """A record that the next stage's event could not carry is a dead letter, and its neighbours are embedded."""
    good = record(chunk_set("a", ["x"]))
    bad = dataclasses.replace(good, value=Codec().encode(chunk_set("a", ["x"], **change)))
    refused, done = await handler().handle([bad, good])
    assert isinstance(refused, DeadLetter)
    assert refused.field == field
    assert isinstance(done, Done)


async def test_a_tombstone_is_dropped_and_garbage_is_a_dead_letter() -> None:
    """Kafka nulls mean that compaction may forget; bytes without framing are poison."""
    there = record(chunk_set("a", ["x"]))
    null, garbage = dataclasses.replace(there, value=None), dataclasses.replace(there, value=b"garbage")
    dropped, dead = await handler().handle([null, garbage])
    assert dropped == Drop("tombstone")
    assert isinstance(dead, DeadLetter)
    assert dead.kind == "schema"


async def test_a_large_revision_is_split_and_every_part_names_the_whole() -> None:
    """Parts stay under the bound, together hold every chunk once, and each lists all chunk ids."""
    event = chunk_set("a", [f"passage {number} " + "x" * 400 for number in range(10)])
    (verdict,) = await handler(part_bytes=2_000).handle([record(event)])
    found = parts(verdict)
    assert len(found) > 1
    assert [part.part for part in found] == list(range(len(found)))
    assert {part.parts for part in found} == {len(found)}
    assert {part.chunk_ids for part in found} == {tuple(chunk.chunk_id for chunk in event.chunks)}
    assert [chunk.chunk_id for part in found for chunk in part.chunks] == [chunk.chunk_id for chunk in event.chunks]
    assert all(len(output.value or b"") < 2_500 for output in verdict.outputs)  # type: ignore[union-attr]


async def test_a_redelivery_repeats_ids_and_key() -> None:
    """The same input gives the same event ids and goes to the same key, whatever the cache holds by then."""
    stage, event = handler(), record(chunk_set("a", ["x", "y"]))
    (first,), (second,) = await stage.handle([event]), await stage.handle([event])
    assert [part.event_id for part in parts(first)] == [part.event_id for part in parts(second)]
    assert {output.key for verdict in (first, second) for output in verdict.outputs} == {b"acme/a"}  # type: ignore[union-attr]
    assert {output.topic for output in first.outputs} == {topics.doc_embedded(1)}  # type: ignore[union-attr]


async def test_a_document_without_text_is_a_revision_without_chunks() -> None:
    """An emptied document is not deleted: its event says so, in a form that the index accepts."""
    model = CountingModel()
    (verdict,) = await handler(model).handle([record(chunk_set("a", [], deleted=False))])
    (event,) = parts(verdict)
    assert not event.deleted
    assert (event.chunks, event.dimension, len(event.vectors)) == ((), model.dimension, 0)


def laned(event: DocChunked, *more: tuple[str, bytes]) -> Record:
    """The event as a replay job sends it through the lane."""
    headers = (("roggia_replay_job", b"j1"), *more)
    return dataclasses.replace(record(event), topic=topics.replay(topics.doc_chunked(1)), headers=headers)


async def test_a_lane_is_answered_on_the_next_lane() -> None:
    """Live doc.embedded stays free of what is replayed, and the replay's headers go on."""
    (verdict,) = await handler().handle([laned(chunk_set("a", ["one"]))])
    assert isinstance(verdict, Done)
    assert {output.topic for output in verdict.outputs} == {"doc.embedded.g1.replay"}
    assert ("roggia_replay_job", b"j1") in verdict.outputs[0].headers


async def test_a_replayed_older_version_costs_no_embedding() -> None:
    """What the newest version of a document has overtaken is dropped before it reaches the model or the cache."""
    model, cache = CountingModel(), MemoryCache()
    stage = handler(model, cache)
    await stage.handle([record(chunk_set("a", ["new"], 2)), record(chunk_set("gone", [], 3), 1)])
    model.encoded.clear()
    verdicts = await stage.handle([laned(chunk_set("a", ["old"], 1)), laned(chunk_set("gone", ["secret"], 1))])
    assert verdicts == [Drop("stale"), Drop("stale")]
    assert model.encoded == []
    assert {key[2] for key in cache.vectors} == {chunk_set("a", ["new"]).chunks[0].text_sha256}


async def test_another_collection_gets_older_versions_too() -> None:
    """It may lack what is newer; the cache keeps nothing of them."""
    model, cache = CountingModel(), MemoryCache()
    stage = handler(model, cache)
    await stage.handle([record(chunk_set("a", [], 3))])
    (verdict,) = await stage.handle([laned(chunk_set("a", ["old"], 1), ("roggia_replay_collection", b"trial"))])
    assert isinstance(verdict, Done)
    assert cache.vectors == {}
