"""Two generations in processes of their own, killed while one fills beside live changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from roggia_embedder.adapters.edge import EdgeCatalogue, EdgeStore
from roggia_embedder.ports import Passage, model_stamp
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Output
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, GenerationState

from tests.support.expected_index import difference, expected_rows, held_rows
from tests.support.fleet import Fleet, apply_topics
from tests.support.generations import row
from tests.support.kafka import Broker
from tests.support.workload import workload


@pytest.mark.timeout(400)
async def test_kills_cost_neither_generation_anything(devstack_alone: Broker, tmp_path: Path) -> None:
    """A generation that another process embeds fills while documents change and processes are killed; cut over, and
    the index killed at once: both generations are what the log says, no vector is in the other's collection, and every
    alias points where the record says."""
    work = workload(documents=40, events=400)
    fleet = Fleet(devstack_alone, tmp_path / "data")
    await apply_topics(fleet.kafka)
    try:
        await _disturbed(fleet, work.slices(4))
    finally:
        fleet.kill_all()
    store = EdgeStore(fleet.data / "index")
    try:
        for number in (1, 2):
            want, got = expected_rows(work, number), await _rows(store, number)
            assert want == got, difference(want, got)
        pointed = {one.alias: one.generation for one in await EdgeCatalogue(fleet.data / "index").bindings()}
    finally:
        await store.close()
    assert len(pointed) == 4
    assert set(pointed.values()) == {2}


async def _disturbed(fleet: Fleet, parts: list) -> None:
    fleet.start("ingest")
    fleet.start("embed", ROGGIA_EMBEDDER_GENERATIONS="1")
    fleet.start("index")
    await _publish(fleet, parts[0])
    await fleet.settle(90)
    await fleet.plan(row(2, GenerationState.FILLING))
    own = {"ROGGIA_EMBEDDER_GENERATIONS": "2", "ROGGIA_EMBEDDER_CACHE": str(fleet.data / "second.sqlite3")}
    fleet.start("embed-2", **own)
    await _publish(fleet, parts[1])
    assert await fleet.reach(topics.doc_embedded(2), 20, patience_s=60)
    fleet.kill("embed-2", "index")
    await _publish(fleet, parts[2])
    fleet.start("index")
    fleet.start("embed-2")
    await fleet.settle(120)
    await fleet.tell(row(2, GenerationState.LIVE, cutover=1))
    await asyncio.sleep(0.05)
    fleet.kill("index")
    await _publish(fleet, parts[3])
    fleet.start("index")
    await fleet.settle(120)
    fleet.stop_all()


async def _publish(fleet: Fleet, events: list[DocChanged]) -> None:
    codec = EventCodec(RegistrySettings(), source="/test")
    outputs: list[Output] = [codec.output(topics.DOC_CHANGED, event) for event in events]
    await fleet.produce(outputs)


async def _rows(store: EdgeStore, number: int) -> set:
    found = set()
    for spec in await store.collections():
        if spec.generation != number:
            continue
        found |= await held_rows(spec.name, store.scan(spec.name))
        async for point in store.scan(spec.name):
            assert not isinstance(point, Passage) or point.model == model_stamp(spec.model)
    return found
