"""Replay jobs in the real operator process, on a devstack broker that each test has for itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from roggia_operator.replay.selection import Selection
from roggia_runtime import replay
from roggia_schemas import topics
from roggia_schemas.events import JobStatus

from tests.support.kafka import DEVSTACK_ENV, Broker, devstack_broker
from tests.support.replaying import Operator, ask, counts, document, publish, reached, ready, records

LANE = topics.replay(topics.DOC_CHANGED)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker with nothing on it."""
    own = devstack_broker(tmp_path, **DEVSTACK_ENV)
    own.start()
    yield own
    own.kill()


@pytest.fixture
def operator(broker: Broker, tmp_path: Path) -> Iterator[Operator]:
    """A running operator."""
    own = Operator(broker, tmp_path / "operator.log")
    own.start()
    yield own
    own.kill()


async def test_a_job_sends_what_matches_through_the_lane_with_its_headers(broker: Broker, operator: Operator) -> None:
    """Bytes, key, order per key and own headers are those of the source; job and coordinates are added."""
    async with ready(broker) as (kafka, client):
        await publish(kafka, [document(f"d{n % 40}", n, tenant="acme" if n % 2 else "other") for n in range(1, 201)])
        job_id = await ask(client, Selection(topic=topics.DOC_CHANGED, tenant="acme", mode="renew"))
        job = await reached(client, job_id, JobStatus.DONE)
        source = {(r.partition, r.offset): r for r in await records(kafka, topics.DOC_CHANGED)}
        lane = await records(kafka, LANE)

    assert counts(job)["sent"] == len(lane) == 100
    assert counts(job)["scanned"] == 200
    assert job.reach == (200, 200)
    for record in lane:
        place = int(replay.header(record.headers, replay.PARTITION)), int(replay.header(record.headers, replay.OFFSET))
        assert (record.key, record.value) == (source[place].key, source[place].value)
        assert record.headers[: len(source[place].headers)] == source[place].headers
        assert replay.header(record.headers, replay.JOB) == job_id
        assert replay.renewed(record.headers)
    places = [(r.partition, int(replay.header(r.headers, replay.OFFSET))) for r in lane]
    assert places == sorted(places), "order of the source"
