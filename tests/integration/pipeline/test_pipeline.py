"""A document's life through every hop, on both brokers: published, searched, changed, moved, deleted, replayed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from roggia_embedder.query import api

from tests.support.kafka import Broker
from tests.support.pipeline import Pipeline, running

PARTS = ("Sluice", "Wheel", "Meadow", "Market")


def handbook(sluice: str) -> str:
    """A document of four long sections; the first one says what it is told."""
    sections = [_section(name, f"The {name.lower()} keeper knows.") for name in PARTS]
    return "# Handbook\n\n" + "\n\n".join([_section("Opening", sluice), *sections])


def _section(name: str, first: str) -> str:
    more = " ".join(f"Measure {i} of the mill concerns the {name.lower()}." for i in range(25))
    return f"## {name}\n\n{first} {more}"


async def doc_ids(pipeline: Pipeline, query: str, domain: str = "docs") -> set[str]:
    """Documents that hold one of the words."""
    return {p.doc_id for p in await pipeline.search(query, domain, mode=api.Mode.LEXICAL, k=50)}


@pytest.mark.timeout(240)
async def test_a_document_s_life(own_broker: Broker, tmp_path: Path) -> None:
    """Each change is searchable after it, costs only what changed, and an old event brings nothing back."""
    async with running(own_broker.bootstrap, tmp_path / "data") as pipeline:
        first = await _published(pipeline)
        second = await _updated(pipeline)
        await _moved(pipeline)
        await _deleted(pipeline)
        await _replayed(pipeline, first, second)
        assert await pipeline.dead() == 0


async def _published(pipeline: Pipeline) -> list:
    events = [
        await pipeline.publish("handbook.md", 1, handbook("The gate opens at dawn."), title="Handbook", source="wiki"),
        await pipeline.publish("bread.md", 1, "# Bread\n\nBread needs flour and water.", acl=("bakers",)),
    ]
    await pipeline.settle()
    done = {event.doc_id: event for event in await pipeline.upserted()}
    assert done["handbook.md"].added == done["handbook.md"].chunks == done["handbook.md"].embedded > 2
    assert done["handbook.md"].collection == "kb_acme_docs__g1"
    assert await doc_ids(pipeline, "gate dawn") == {"handbook.md"}
    assert await pipeline.search("flour water", mode=api.Mode.LEXICAL) == []
    (bread,) = await pipeline.search("flour water", mode=api.Mode.LEXICAL, groups=("bakers",))
    assert (bread.doc_id, bread.revision) == ("bread.md", 1)
    answer = await pipeline.ask("when does the gate open, at dawn")
    assert answer.found
    assert "The gate opens at dawn. [1]" in answer.answer
    assert (answer.citations[0].title, answer.citations[0].source) == ("Handbook", "wiki")
    await _reported(pipeline, answer.query_id)
    return events


async def _reported(pipeline: Pipeline, query_id: str) -> None:
    async with asyncio.timeout(20), aclosing(pipeline.served()) as events:
        async for event in events:
            if event.event_id == query_id:
                assert [p.doc_id for p in event.results] == ["handbook.md"] * len(event.results)
                return


async def _updated(pipeline: Pipeline) -> list:
    event = await pipeline.publish("handbook.md", 2, handbook("The gate opens at noon."))
    await pipeline.settle()
    done = (await pipeline.upserted())[-1]
    assert (done.revision, done.kept + done.added, done.removed) == (2, done.chunks, done.added)
    assert 1 <= done.added <= 2
    assert done.embedded == done.added
    assert done.cached == done.kept
    assert await doc_ids(pipeline, "noon") == {"handbook.md"}
    assert await doc_ids(pipeline, "dawn") == set()
    assert {p.revision for p in await pipeline.search("gate measure keeper", k=50)} == {2}
    return [event]


async def _moved(pipeline: Pipeline) -> None:
    await pipeline.publish("handbook.md", 3, handbook("The gate opens at noon."), domain="archive")
    await pipeline.settle()
    assert await doc_ids(pipeline, "noon keeper") == set()
    assert await doc_ids(pipeline, "noon keeper", "archive") == {"handbook.md"}


async def _deleted(pipeline: Pipeline) -> None:
    await pipeline.publish("bread.md", 2, None)
    await pipeline.settle()
    assert (await pipeline.upserted())[-1].deleted
    for mode in api.Mode:
        assert await pipeline.search("flour water bread", mode=mode, groups=("bakers",)) == []


async def _replayed(pipeline: Pipeline, *old: list) -> None:
    before = await pipeline.upserted()
    for event in [event for events in old for event in events] * 2:
        await pipeline.again(event)
    await pipeline.settle()
    assert await pipeline.search("flour water bread", groups=("bakers",), mode=api.Mode.LEXICAL) == []
    assert await doc_ids(pipeline, "dawn noon") == set()
    assert await doc_ids(pipeline, "noon", "archive") == {"handbook.md"}
    assert await pipeline.upserted() == before
