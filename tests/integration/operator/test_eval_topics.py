"""Evaluation's view of the log, on a broker: the corpus, recorded searches, windows of vectors."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from roggia_operator.errors import SelectionError
from roggia_operator.evaluation.adapters.topics import KafkaCorpus, KafkaServed
from roggia_operator.evaluation.adapters.windows import Between, windows
from roggia_operator.evaluation.corpus import manifest
from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.golden import clicks, known_items
from roggia_operator.evaluation.golden.clicks import Click, Rules
from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7
from roggia_runtime.records import Output
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.wiretypes import Event

from tests.support.events import example
from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.loops import settings
from tests.support.replaying import codec, produce

HOUR = 3_600_000


def _changed(event: Event, **changes: Any) -> Event:
    return msgspec.structs.replace(event, event_id=uuid7(), **changes)


def _chunked(doc_id: str, title: str, **changes: Any) -> Event:
    return _changed(example("doc.chunked"), doc_id=doc_id, title=title, **changes)


def _embedded(doc_id: str, occurred_at: int, vector: list[float], **changes: Any) -> Event:
    event = example("doc.embedded")
    chunks = event.chunks[:1]  # type: ignore[attr-defined]
    ids, vectors = tuple(one.chunk_id for one in chunks), np.array(vector, np.float32)
    own = {"doc_id": doc_id, "occurred_at": occurred_at, "chunks": chunks, "chunk_ids": ids}
    return _changed(event, **own, dimension=len(vector), vectors=vectors, **changes)


async def _fill(kafka: KafkaSettings, topic: str, events: list[Event]) -> None:
    made = codec()
    await produce(kafka, [made.output(topic, event) for event in events])


@pytest.fixture
async def kafka(devstack_alone: Broker) -> KafkaSettings:
    """Settings of a broker of this test alone, with the topics: chunks that nobody cut would stop a real index."""
    made = settings(devstack_alone.bootstrap)
    await apply_topics(made)
    return made


def _tenant() -> str:
    return f"t{uuid.uuid1().hex[:12]}"


async def test_the_corpus_is_the_newest_living_version_of_every_document(kafka: KafkaSettings) -> None:
    """Older versions, deletions and nulls are gone; what cannot be read is counted; the manifest follows."""
    topic, tenant = topics.doc_chunked(1), _tenant()
    await _fill(kafka, topic, [
        _chunked("a", "An old title of a", tenant_id=tenant), _chunked("b", "Title of document b", tenant_id=tenant),
        _chunked("gone", "Deleted later", tenant_id=tenant), _chunked("nothing", "Forgotten later", tenant_id=tenant),
        _chunked("a", "The new title of a", tenant_id=tenant, revision=8),
        _chunked("gone", "", tenant_id=tenant, revision=9, deleted=True, chunks=()),
        _chunked("c", "In another domain", tenant_id=tenant, domain="other"),
    ])  # fmt: skip
    await produce(
        kafka, [Output(topic, f"{tenant}/nothing".encode(), None), Output(topic, f"{tenant}/b".encode(), b"??")]
    )
    log = KafkaCorpus(kafka, codec())
    found = {one.doc_id: one async for one in log.documents(tenant)}
    one_domain = [one.doc_id async for one in KafkaCorpus(kafka, codec()).documents(tenant, "other")]

    assert {doc: one.title for doc, one in found.items()} == {
        "a": "The new title of a", "b": "Title of document b", "c": "In another domain",
    }  # fmt: skip
    assert one_domain == ["c"]
    assert log.unreadable == 1
    assert sum(log.offsets.values()) >= 9
    made = manifest.make(found.values(), log.topic, log.offsets, "now")
    newer = replace(found["a"], revision=9)
    assert made.header.documents == 3
    assert manifest.make([newer, found["b"], found["c"]], log.topic, {}, "").header.id != made.header.id
    assert {query.query for query in known_items.make(found.values()).queries} >= {"The new title of a"}


async def test_clicks_find_the_searches_that_were_recorded_with_their_text(kafka: KafkaSettings) -> None:
    """A search whose tenant did not opt in has no text, and gives no question."""
    shown = example("retrieval.served")
    told, silent = _changed(shown, query_text="what do I keep?"), _changed(shown)
    await _fill(kafka, topics.RETRIEVAL_SERVED, [told, silent])
    served = await KafkaServed(kafka, codec()).searches()
    log = [Click(doc_id="travel/expenses.md", query_id=str(one.event_id)) for one in (told, silent)]  # type: ignore[attr-defined]
    made = clicks.gather(log, served, Rules(least=1))

    assert [(query.query, query.tenant, query.domain) for query in made.queries] == [
        ("what do I keep?", "acme", "handbook")
    ]
    assert made.skipped.total() == 1


async def test_windows_hold_one_passage_of_each_document_by_when_it_changed(kafka: KafkaSettings) -> None:
    """Before the reference nothing, then by the time of the change upstream; a document that changes often counts once;
    vectors of two models are an error."""
    now, tenant = now_ms(), _tenant()
    between = Between(now - 10 * HOUR, now - 2 * HOUR)
    await _fill(kafka, topics.doc_embedded(1), [
        _embedded("older", now - 11 * HOUR, [9.0, 9.0], tenant_id=tenant),
        _embedded("a", now - 9 * HOUR, [1.0, 0.0], tenant_id=tenant),
        _embedded("a", now - 8 * HOUR, [1.0, 1.0], tenant_id=tenant, revision=8),
        _embedded("b", now - 3 * HOUR, [0.0, 1.0], tenant_id=tenant),
        _embedded("a", now - HOUR, [0.5, 0.5], tenant_id=tenant, revision=9),
    ])  # fmt: skip
    before, after = await windows(kafka, codec(), 1, between, tenant)

    assert sorted(vector.tolist() for vector in before.vectors) == [[0.0, 1.0], [1.0, 0.0]]
    assert [vector.tolist() for vector in after.vectors] == [[0.5, 0.5]]
    assert len(before.texts) == 2
    await _fill(kafka, topics.doc_embedded(1), [_embedded("c", now - HOUR, [1.0, 2.0], tenant_id=tenant, model="x/2")])
    with pytest.raises(EvaluationError, match=r"holds vectors of .*\bx/2\b.*; drift compares"):
        await windows(kafka, codec(), 1, between, tenant)


async def test_a_topic_that_is_not_there_is_told_as_a_wrong_choice(kafka: KafkaSettings) -> None:
    """A generation that nobody made is the caller's mistake."""
    with pytest.raises(SelectionError, match=r"doc.chunked.c7: does not exist on this cluster"):
        [one async for one in KafkaCorpus(kafka, codec(), 7).documents()]
    with pytest.raises(SelectionError, match=r"--generation: doc.embedded.g7 does not exist"):
        await windows(kafka, codec(), 7, Between(0, 1))
