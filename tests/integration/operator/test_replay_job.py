"""Replay jobs in the real operator process, on a devstack broker that each test has for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from roggia_operator.errors import JobError
from roggia_operator.jobs.client import Request
from roggia_operator.jobs.specs import REFUSED
from roggia_operator.replay.selection import OffsetRange, Selection
from roggia_runtime import replay
from roggia_schemas import topics
from roggia_schemas.events import JobKind, JobStatus, JobWish

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


async def test_pause_resume_rate_and_cancel_take_effect_and_say_so(broker: Broker, operator: Operator) -> None:
    """A paused job sends nothing and is told as a metric, a resumed one goes on at the new rate, a cancelled one stops
    where it is."""
    async with ready(broker) as (kafka, client):
        await publish(kafka, [document(f"d{n}") for n in range(400)])
        job_id = await ask(client, Selection(topic=topics.DOC_CHANGED), records=40)
        await reached(client, job_id, JobStatus.RUNNING, sent=10)
        await client.wish(job_id, JobWish.PAUSE)
        paused = counts(await reached(client, job_id, JobStatus.PAUSED))["sent"]
        held = len(await records(kafka, LANE))
        await _told(operator, 'roggia_jobs{kind="REPLAY",status="PAUSED"} 1.0')
        await client.rate(job_id, {"records": 80.0, "bytes": 1e6})
        still = counts(await reached(client, job_id, JobStatus.PAUSED))["sent"]
        await client.wish(job_id, JobWish.RUN)
        await reached(client, job_id, JobStatus.RUNNING, sent=paused + 1)
        await client.rate(job_id, {"records": None, "bytes": None})
        await reached(client, job_id, JobStatus.DONE, sent=400)
        other = await ask(client, Selection(topic=topics.DOC_CHANGED), records=20)
        await reached(client, other, JobStatus.RUNNING, sent=5)
        await client.wish(other, JobWish.CANCEL)
        ended = await reached(client, other, JobStatus.CANCELLED)
        with pytest.raises(JobError, match="has ended"):
            await client.wish(other, JobWish.RUN)

    assert paused == held == still < 400
    assert counts(ended)["sent"] < 400
    assert ended.state and ended.state.ended_at


async def test_another_selection_under_the_same_id_is_refused(broker: Broker, operator: Operator) -> None:
    """The job sends what it was first asked for, over a restart too, and its state says that the other was refused."""
    async with ready(broker) as (kafka, client):
        await publish(kafka, [document(f"d{n}", tenant="a" if n % 2 else "b") for n in range(100)])
        job_id = await ask(client, Selection(topic=topics.DOC_CHANGED, tenant="a"), records=20)
        await reached(client, job_id, JobStatus.RUNNING, sent=10)
        other = Selection(topic=topics.DOC_CHANGED, tenant="b").as_json()
        await client.submit(Request(JobKind.REPLAY, other, {}), job_id)
        operator.kill()
        operator.start()
        job = await reached(client, job_id, JobStatus.DONE)
        lane = await records(kafka, LANE)

    assert {(r.key or b"")[:2] for r in lane} == {b"a/"}
    assert counts(job)["sent"] == 50
    assert job.state
    assert REFUSED in job.state.message


async def _told(operator: Operator, line: str) -> None:
    """Until the operator's metrics hold a line."""
    async with asyncio.timeout(10), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"http://127.0.0.1:{operator.port}/metrics") as reply:
                if line in (await reply.text()).splitlines():
                    return
            await asyncio.sleep(0.1)


async def test_a_job_goes_on_after_kill_nine_of_the_operator(
    broker: Broker, operator: Operator, tmp_path: Path
) -> None:
    """Nothing that matches is missing in the lane; what was sent twice is at most what a second may send."""
    async with ready(broker) as (kafka, client):
        await publish(kafka, [document(f"d{n % 150}", n) for n in range(1, 301)])
        job_id = await ask(client, Selection(topic=topics.DOC_CHANGED), records=60)
        await reached(client, job_id, JobStatus.RUNNING, sent=60)
        operator.kill()
        operator.start()
        await client.rate(job_id, {"records": None})
        job = await reached(client, job_id, JobStatus.DONE)
        lane = await records(kafka, LANE)
        source = await records(kafka, topics.DOC_CHANGED)

    assert {r.value for r in lane} == {r.value for r in source}
    assert job.reach == (300, 300)
    assert counts(job)["sent"] == counts(job)["scanned"] == 300, "what was sent twice is counted once"
    assert len(lane) < 400


async def test_two_jobs_run_at_once_and_one_of_two_operators_runs_both(
    broker: Broker, operator: Operator, tmp_path: Path
) -> None:
    """Several jobs at once, each exactly what it selects; when the instance that leads dies, the other one goes on."""
    second = Operator(broker, tmp_path / "operator-2.log")
    second.start()
    try:
        async with ready(broker) as (kafka, client):
            await publish(kafka, [document(f"d{n}", tenant="a" if n % 2 else "b") for n in range(300)])
            jobs = [await ask(client, Selection(topic=topics.DOC_CHANGED, tenant=t), records=25) for t in "ab"]
            for job_id in jobs:
                await reached(client, job_id, JobStatus.RUNNING, sent=20)
            leaders = [one for one in (operator, second) if b'"leading"' in one.log.read_bytes()]
            assert len(await records(kafka, LANE)) < 200, "each job sends once, whoever runs it"
            leaders[-1].kill()
            for job_id in jobs:
                await client.rate(job_id, {"records": None})
                await reached(client, job_id, JobStatus.DONE)
            lane = await records(kafka, LANE)
    finally:
        second.kill()

    sent = {job_id: {r.key for r in lane if replay.header(r.headers, replay.JOB) == job_id} for job_id in jobs}
    assert [len(keys) for keys in sent.values()] == [150, 150]
    assert {key.partition(b"/")[0] for key in sent[jobs[0]] if key} == {b"a"}


async def test_a_killed_broker_holds_a_job_up_and_no_more(broker: Broker, operator: Operator) -> None:
    """kill -9 of the broker in mid-job: once it is back the job ends, and every record is in the lane."""
    async with ready(broker) as (kafka, client):
        await publish(kafka, [document(f"d{n}") for n in range(300)])
        job_id = await ask(client, Selection(topic=topics.DOC_CHANGED), records=60)
        await reached(client, job_id, JobStatus.RUNNING, sent=60)
        broker.kill()
        broker.start()
        job = await reached(client, job_id, JobStatus.DONE, timeout_s=80)
        lane = await records(kafka, LANE)

    assert len({r.key for r in lane}) == 300
    assert job.reach == (300, 300)


async def test_a_job_that_cannot_be_done_fails_with_the_reason(broker: Broker, operator: Operator) -> None:
    """A specification of another version, or a partition that does not exist, ends as FAILED and names the field."""
    async with ready(broker) as (_, client):
        bad = await client.submit(Request(JobKind.REPLAY, '{"topic": "doc.changed", "colour": "red"}', {}))
        absent = await ask(client, Selection(topic=topics.DOC_CHANGED, offsets=(OffsetRange(99, 0, 5),)))
        failed = [await reached(client, job_id, JobStatus.FAILED) for job_id in (bad, absent)]

    assert "colour" in failed[0].state.message  # type: ignore[union-attr]
    assert "has no partition 99" in failed[1].state.message  # type: ignore[union-attr]
