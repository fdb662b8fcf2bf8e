"""A second index generation on a running pipeline: filled, compared with the log, put in front, and taken back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from roggia_embedder.query import api
from roggia_runtime.settings import BatchLimits
from roggia_schemas import topics
from roggia_schemas.events import GenerationState

from tests.support.fleet import GROUPS
from tests.support.generations import groups, row
from tests.support.kafka import Broker
from tests.support.pipeline import Pipeline, running

SMALL = BatchLimits(max_records=4)


@pytest.mark.timeout(240)
async def test_a_generation_s_life(devstack_alone: Broker, tmp_path: Path) -> None:
    """Both generations equal the log while documents change; queries follow the record, back within a second; what was
    written in between is in both; what is retired is gone, and nothing else. Every query is answered all the while, by
    the model of the generation that it names."""
    async with running(devstack_alone.bootstrap, tmp_path / "data", retire_grace_s=0.5) as pipeline:
        await _corpus(pipeline)
        asking = asyncio.create_task(_asked(pipeline))
        await _filled(pipeline)
        await _served(pipeline)
        await _rolled_back(pipeline)
        await _retired(pipeline)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await pipeline.dead() == 0


async def _asked(pipeline: Pipeline) -> None:
    """Queries without end. Fails with the first that is refused, or that names another model than its generation's."""
    models: dict[int, str] = {}
    while True:
        answer = await pipeline.answer("keeper gate dawn")
        assert isinstance(answer, api.SearchResponse), answer
        assert answer.collection == f"kb_acme_docs__g{answer.generation}"
        assert models.setdefault(answer.generation, answer.model) == answer.model
        await asyncio.sleep(0.02)


async def _corpus(pipeline: Pipeline) -> None:
    for number in range(20):
        await pipeline.publish(f"doc-{number}.md", 1, f"# Gate {number}\n\nThe keeper of gate {number} opens at dawn.")
    await pipeline.publish("law.md", 1, "# Law\n\nThe law of water is old.", domain="law")
    await pipeline.settle()


async def _both(pipeline: Pipeline) -> None:
    """Everything has reached both generations, and both equal the log."""
    await pipeline.settle(groups={**GROUPS, **groups(2)})
    one, two = await pipeline.verify(1), await pipeline.verify(2)
    assert (one.findings, one.pending, two.findings, two.pending) == ({}, 0, {}, 0)
    assert (one.generation, two.generation) == (1, 2)
    assert (two.collections, one.collections) == (("kb_acme_docs__g2",), ("kb_acme_docs__g1", "kb_acme_law__g1"))


async def _filled(pipeline: Pipeline) -> None:
    """Changes that come while it fills are in it; readers stay where they were; a pinned request reads it."""
    await pipeline.create(topics.doc_embedded(2))
    await pipeline.send(topics.INDEX_GENERATION, row(2, GenerationState.FILLING, selection=("acme/docs",)))
    await pipeline.publish("doc-3.md", 2, "# Gate 3\n\nThe keeper of gate 3 opens at noon.")
    await pipeline.publish("doc-4.md", 2, None)
    await pipeline.publish("doc-5.md", 2, "# Gate 5\n\nMoved to the law.", domain="law")
    await _both(pipeline)
    assert await _generation(pipeline) == 1
    await pipeline.send(topics.INDEX_GENERATION, row(2, GenerationState.SHADOW, selection=("acme/docs",)))
    pinned = await _until(pipeline, 2, generation=2)
    assert {hit.doc_id for hit in pinned.results} >= {"doc-3.md"}
    refused = await pipeline.answer("law", domain="law", generation=2)
    assert isinstance(refused, api.ErrorDetail)
    assert (refused.code, refused.field) == ("unknown_generation", "generation")


async def _served(pipeline: Pipeline) -> None:
    """The record says LIVE: readers of what it selects get it, others what they had."""
    await pipeline.send(topics.INDEX_GENERATION, row(2, GenerationState.LIVE, cutover=1, selection=("acme/docs",)))
    answer = await _until(pipeline, 2)
    collections = await pipeline.collections()
    assert {name for name, one in collections.items() if one.serves} == {"kb_acme_docs__g2", "kb_acme_law__g1"}
    assert collections["kb_acme_docs__g2"].state == "LIVE"
    assert answer.model == collections["kb_acme_docs__g2"].model != collections["kb_acme_docs__g1"].model
    law = await pipeline.answer("water", domain="law")
    assert isinstance(law, api.SearchResponse)
    assert law.generation == 1


async def _rolled_back(pipeline: Pipeline) -> None:
    """Edits and deletes made while the second one served are in the first: going back loses nothing."""
    await pipeline.publish("doc-6.md", 2, "# Gate 6\n\nThe keeper of gate 6 sleeps in winter.")
    await pipeline.publish("doc-7.md", 2, None)
    await _both(pipeline)
    began = time.monotonic()
    await pipeline.send(
        topics.INDEX_GENERATION, row(2, GenerationState.ROLLED_BACK, cutover=1, selection=("acme/docs",))
    )
    await _until(pipeline, 1)
    took = time.monotonic() - began
    print(f"rollback: {took * 1e3:.0f} ms on the clock; `bench_rollback` measures it")
    found = {hit.doc_id: hit for hit in await pipeline.search("keeper sleeps winter", k=50)}
    assert "sleeps in winter" in found["doc-6.md"].text
    assert "doc-7.md" not in found
    await pipeline.publish("doc-8.md", 2, "# Gate 8\n\nThe keeper of gate 8 has gone.")
    await _both(pipeline)


async def _retired(pipeline: Pipeline) -> None:
    """Its collection goes, the other's stay, and nobody writes to it any more."""
    await pipeline.send(topics.INDEX_GENERATION, row(2, GenerationState.RETIRED, selection=("acme/docs",)))
    async with asyncio.timeout(30):
        while "kb_acme_docs__g2" in await pipeline.collections():
            await asyncio.sleep(0.1)
    assert set(await pipeline.collections()) == {"kb_acme_docs__g1", "kb_acme_law__g1"}
    await pipeline.publish("doc-9.md", 2, "# Gate 9\n\nAfter the end.")
    await pipeline.settle()
    assert set(await pipeline.collections()) == {"kb_acme_docs__g1", "kb_acme_law__g1"}


async def _generation(pipeline: Pipeline) -> int:
    answer = await pipeline.answer("keeper gate dawn", k=50)
    assert isinstance(answer, api.SearchResponse), answer
    return answer.generation


async def _until(pipeline: Pipeline, number: int, generation: int | None = None) -> api.SearchResponse:
    """The first answer of a generation. Readers are answered all the time; a pinned request may wait for its model."""
    async with asyncio.timeout(30):
        while True:
            answer = await pipeline.answer("keeper gate dawn", k=50, generation=generation)
            if isinstance(answer, api.SearchResponse) and answer.generation == number:
                return answer
            assert generation is not None or isinstance(answer, api.SearchResponse), answer
            await asyncio.sleep(0.01)


@pytest.mark.timeout(240)
async def test_a_filling_generation_waits_and_nobody_else_does(devstack_alone: Broker, tmp_path: Path) -> None:
    """Paused, it stays in its group, the services stay ready and live changes go through; throttled, it keeps its rate;
    with a model that is not the planned one it writes nothing. None of it reaches the first generation."""
    async with running(devstack_alone.bootstrap, tmp_path / "data", embed_batch=SMALL) as pipeline:
        await _corpus(pipeline)
        await pipeline.create(topics.doc_embedded(2))
        await pipeline.send(topics.INDEX_GENERATION, row(2, GenerationState.FILLING, paused=True))
        await _waits(pipeline, "paused")
        await pipeline.publish("doc-1.md", 2, "# Gate 1\n\nChanged while the other one waited.")
        await pipeline.settle()
        assert await pipeline.total(topics.doc_embedded(2)) == 0
        began = time.monotonic()
        await pipeline.send(topics.INDEX_GENERATION, row(2, GenerationState.FILLING, rate=10.0))
        await pipeline.settle(groups=groups(2))
        took = time.monotonic() - began
        print(f"22 chunks at 10 per second: {took:.1f} s")
        assert took > 1.2
        assert (await pipeline.verify(2)).clean
        await pipeline.send(topics.INDEX_GENERATION, row(2, GenerationState.FILLING, fingerprint="planned@1"))
        await _waits(pipeline, "not planned@1 as its reference says")
        await pipeline.publish("doc-2.md", 2, "# Gate 2\n\nNot by a wrong model.")
        await pipeline.settle()
        assert (await pipeline.verify(1)).clean
        assert (await pipeline.verify(2)).findings == {}
        before = await pipeline.total(topics.doc_embedded(2))
        await pipeline.send(topics.INDEX_GENERATION, row(2, GenerationState.FILLING))
        await pipeline.settle(groups=groups(2))
        assert await pipeline.total(topics.doc_embedded(2)) == before + 1
        assert pipeline.health() == []


async def _waits(pipeline: Pipeline, why: str) -> None:
    """A service says why the second generation waits, and all of them are ready."""
    async with asyncio.timeout(30):
        while not any(why in note for note in pipeline.notes()):
            await asyncio.sleep(0.05)
    assert pipeline.health() == []
