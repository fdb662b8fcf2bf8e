"""From a broker and a schedule to a verdict: disturb the running pipeline, then compare the index with its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support import chaos
from tests.support.chaos import Disturbance, Run
from tests.support.expected_index import Row, difference, expected_rows, held_rows
from tests.support.fleet import Fleet, apply_topics
from tests.support.kafka import Broker, devstack_broker, find_java
from tests.support.workload import workload


@pytest.fixture(params=["devstack", "apache"])
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A broker that nobody else uses, of each kind: the catalogue's topics are this test's alone."""
    data = tmp_path / "broker"
    broker = devstack_broker(data) if request.param == "devstack" else find_java().broker(data)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def devstack_alone(tmp_path: Path) -> Iterator[Broker]:
    """A devstack broker that nobody else uses."""
    broker = devstack_broker(tmp_path / "broker")
    broker.start()
    yield broker
    broker.kill()


async def verify_pipeline(
    broker: Broker, data: Path, *, events: int, documents: int, schedule: Sequence[Disturbance], settle_s: float
) -> Run:
    """Run the workload under the schedule; fails with the first broken promise. The broker must be new."""
    fleet = Fleet(broker, data)
    run = Run(fleet, workload(documents=documents, events=events))
    await apply_topics(fleet.kafka)
    try:
        for name in ("ingest", "embed", "index"):
            fleet.start(name)
        await run.execute(schedule, settle_s)
        await chaos.check_no_dead_letters(run)
        await chaos.check_chunked(run)
        await chaos.check_upserted(run)
        fleet.stop_all()
    finally:
        fleet.kill_all()
    want, got = expected_rows(run.workload), await _index(data / "index")
    assert want == got, difference(want, got)
    assert len(want) >= documents, "the workload left too little to compare"
    return run


async def _index(path: Path) -> set[Row]:
    from roggia_embedder.adapters.edge import EdgeStore

    store = EdgeStore(path)
    rows: set[Row] = set()
    try:
        for spec in await store.collections():
            rows |= await held_rows(spec.name, store.scan(spec.name))
    finally:
        await store.close()
    return rows
