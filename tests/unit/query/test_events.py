"""Reporting what was served never stands in the way of an answer."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY
from roggia_embedder.query import api, events
from roggia_embedder.query.events import ServedEvents
from roggia_embedder.query.search import Found
from roggia_runtime.errors import ProduceError
from roggia_runtime.records import Headers
from roggia_schemas.events import RetrievalServed

from tests.support.query import WordsModel, binding

MODEL = WordsModel()


def lost(cause: str) -> float:
    """How many events were lost by this cause so far."""
    return REGISTRY.get_sample_value("roggia_query_events_lost_total", {"cause": cause}) or 0.0


def event(query: str = "secret words", with_text: tuple[str, ...] = ()) -> RetrievalServed:
    """The event of one answer with one passage."""
    request = api.SearchRequest(tenant="acme", domain="docs", query=query, k=5, mode=api.Mode.DENSE)
    found = Found(binding(MODEL), (api.Passage(doc_id="d", chunk_id="c", score=0.5, text="text", revision=9),))
    return events.served(request, found, query_id="0190", now_ms=1, latency_ms=2.5, with_text=with_text)


class Log:
    """A Kafka that takes events when its gate is open, and fails while told to."""

    def __init__(self) -> None:
        self.taken: list[RetrievalServed] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.down = False

    async def publish(self, served: RetrievalServed, parent: Headers) -> None:
        await self.gate.wait()
        if self.down:
            raise ProduceError("cannot reach Kafka")
        self.taken.append(served)


def test_event_says_what_was_served() -> None:
    """Index, model, mode and the passages with revisions and scores are in the event."""
    served = event()
    assert (served.tenant_id, served.collection, served.model) == ("acme", "kb_acme_docs__g1", MODEL.fingerprint)
    assert (served.mode, served.k, served.latency_ms, served.event_id) == ("dense", 5, 2.5, "0190")
    assert [(p.doc_id, p.chunk_id, p.revision, p.score) for p in served.results] == [("d", "c", 9, 0.5)]


@pytest.mark.parametrize(("tenants", "expected"), [((), None), (("other",), None), (("acme",), "secret words")])
def test_query_text_only_with_consent(tenants: tuple[str, ...], expected: str | None) -> None:
    """The query's text is in the event only when its tenant opted in."""
    assert event(with_text=tenants).query_text == expected


async def test_events_are_published_in_order() -> None:
    """What was offered reaches the log, in order, before close returns."""
    log = Log()
    queue = ServedEvents(log.publish)
    queue.start()
    for i in range(20):
        queue.offer(event(f"query {i}", ("acme",)))
    await queue.close()
    assert [served.query_text for served in log.taken] == [f"query {i}" for i in range(20)]


async def test_failure_is_counted_and_survived() -> None:
    """While Kafka is away events are lost and counted; the next one is published once it is back."""
    log = Log()
    queue = ServedEvents(log.publish)
    queue.start()
    before, log.down = lost("publish"), True
    queue.offer(event())
    await asyncio.sleep(0.01)
    log.down = False
    queue.offer(event())
    await queue.close()
    assert (lost("publish") - before, len(log.taken)) == (1, 1)


async def test_full_queue_drops_at_once_and_counts() -> None:
    """With a stuck Kafka and a full queue, offering returns at once and the loss is counted."""
    log = Log()
    log.gate.clear()
    queue = ServedEvents(log.publish, most=3)
    queue.start()
    await asyncio.sleep(0)
    before = lost("queue_full")
    for _ in range(10):
        queue.offer(event())
    assert lost("queue_full") - before == 7
    log.gate.set()
    await queue.close()
    assert len(log.taken) == 3


async def test_close_does_not_wait_for_a_stuck_kafka() -> None:
    """Stopping takes no longer than its deadline; what was left is counted."""
    log = Log()
    log.gate.clear()
    queue = ServedEvents(log.publish)
    queue.start()
    before = lost("shutdown")
    for _ in range(4):
        queue.offer(event())
    async with asyncio.timeout(1):
        await queue.close(deadline_s=0.02)
    assert lost("shutdown") - before == 4
