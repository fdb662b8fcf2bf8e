"""What scripts learn from the operators' commands, on a broker without an operator, or with one that is played."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from roggia.cli import jobs
from roggia_operator.jobs.client import JobClient
from roggia_operator.tenants.registry import TenantRegistry
from roggia_runtime.consumer.dead_letters import dead_letter
from roggia_runtime.records import DeadLetter, Output, Record
from roggia_schemas import topics
from roggia_schemas.events import JobSide, JobStatus, TenantStatus

from tests.support.fleet import apply_topics
from tests.support.guides import call
from tests.support.kafka import Broker
from tests.support.lagging import commit
from tests.support.loops import settings
from tests.support.replaying import codec, document, output, produce, publish

RUN = "replay run doc.changed --yes"


@pytest.fixture
async def broker(devstack_alone: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Broker]:
    """Topics, one document and one letter; commands find it, and have little patience."""
    kafka = settings(devstack_alone.bootstrap)
    await apply_topics(kafka)
    await publish(kafka, [document("d1")])
    await produce(kafka, [_letter("d1", 0)])
    monkeypatch.setenv("ROGGIA_KAFKA_BOOTSTRAP", devstack_alone.bootstrap)
    monkeypatch.setattr(jobs, "TAKEN_S", 3.0)
    yield devstack_alone


def _letter(doc_id: str, offset: int) -> Output:
    source = output(document(doc_id))
    record = Record(topics.DOC_CHANGED, 0, offset, 1, source.key, source.value, ())
    return dead_letter(
        record, DeadLetter("policy", "acl: is wrong; mend it", "acl"), group="", stage="ingest", attempts=1
    )


async def _said(command: str, status: int | tuple[int, ...] = 0) -> str:
    return await asyncio.to_thread(call, command, status)


@pytest.mark.parametrize(
    "command",
    ["replay status nix", "replay pause nix", "replay rate nix records=5", "dlq jobs nix", "dlq show 0123456789ab",
     "dlq show doc.changed.dlq 0:99", "dlq list nix", "dlq redrive 0123456789ab --yes", "topics tail nix",
     "tenants offboard nix --confirm nix", "replay plan nix"],
)  # fmt: skip
async def test_a_name_that_nothing_has_is_wrong_usage(broker: Broker, command: str) -> None:
    """Whatever kind of thing it would name, the status is 2: what was typed is wrong, nothing failed."""
    await _said(command, 2)


@pytest.mark.parametrize("command", [RUN, "dlq redrive doc.changed --yes", "dlq redrive doc.changed --yes --detach"])
async def test_a_job_that_no_operator_takes_is_told(broker: Broker, command: str) -> None:
    """Every command that asks for a job says that nobody does it, names it, and ends with 4."""
    said = await _said(command, 4)
    assert "no operator service took re" in said
    assert "start one (roggia service operator), it will run the job then" in said
    waiting = json.loads(await _said("status --json"))["jobs"]
    assert [job["status"] for job in waiting] == ["WAITING"], "it is there for the operator that comes"


async def test_letters_that_came_back_are_no_success(broker: Broker) -> None:
    """A redrive that ended, below the limit at which it stops, with letters that failed again: status 1, and where to
    look."""
    playing = asyncio.create_task(_operator(broker, {"redriven": 1, "came_back": 1}))
    said = await _said("dlq redrive doc.changed --yes --stop-after 9", 1)
    await playing
    assert "1 letter failed again and came back; see why: roggia dlq list" in said
    (job,) = json.loads(await _said("dlq jobs --json"))
    for look in (f"dlq jobs {job['job']}", f"replay status {job['job']}", f"replay status {job['job']} --watch --json"):
        assert "1 letter failed again and came back" in await _said(look, 1), "whoever asks later learns the same"
    await _said("dlq jobs")


async def test_letters_that_went_are_a_success(broker: Broker) -> None:
    """The other side of it: status 0, and what came of the letters."""
    playing = asyncio.create_task(_operator(broker, {"redriven": 1}))
    assert "as it was played" in await _said("dlq redrive doc.changed --yes")
    await playing
    (job,) = json.loads(await _said("dlq jobs --json"))
    assert "as it was played" in await _said(f"dlq jobs {job['job']}")


async def _operator(broker: Broker, counts: dict[str, int]) -> None:
    """Take the first job and say that it is done."""
    kafka = settings(broker.bootstrap)
    async with JobClient(kafka, codec()) as client:
        while not (found := list(await client.table())):
            await asyncio.sleep(0.05)
    (job,) = found
    assert job.wanted is not None
    done = msgspec.structs.replace(
        job.wanted, side=JobSide.STATE, status=JobStatus.DONE, spec="{}", counts=counts, message="as it was played"
    )
    await produce(kafka, [codec().output(topics.OPS_JOB, done)])


async def test_an_unread_job_is_no_event_that_waits(broker: Broker) -> None:
    """A job that the operators' group has not read leaves the index as fresh as it is."""
    await _said(RUN, 4)
    await commit(broker.bootstrap, "roggia.operator.jobs", {(topics.OPS_JOB, 0): 0})
    lag = json.loads(await _said("status --json", (0, 7, 8)))["lag"]
    assert [group["group"] for group in lag["groups"]] == ["roggia.operator.jobs"]
    assert lag["groups"][0]["topics"][0]["lag"] == 1
    assert (lag["freshness"]["oldest_s"], lag["freshness"]["stages"]) == (0, {})


@pytest.mark.parametrize("command", ["replay plan --tenant acme", "replay plan", f"{RUN} --dry-run"])
async def test_a_replay_of_a_tenant_that_left_warns(broker: Broker, command: str) -> None:
    """Named or only met: the stages will drop its records, and the plan says so; a dry run asks for nothing."""
    assert "warning" not in await _said("replay plan doc.changed")
    async with TenantRegistry(settings(broker.bootstrap), codec()) as registry:
        await registry.mark("acme", TenantStatus.OFFBOARDED, "somebody")
    said = await _said(command)
    assert "tenant 'acme' is OFFBOARDED: every stage drops its records" in said
    assert "No jobs." in await _said("replay list")


async def test_letters_of_many_partitions_are_listed_over_one_reader(broker: Broker) -> None:
    """Connections do not grow with the partitions that hold letters."""
    with _readers() as few:
        before = json.loads(await _said("dlq list --json"))
    await produce(settings(broker.bootstrap), [_letter(f"d{number}", number) for number in range(40)])
    with _readers() as many:
        (cause,) = json.loads(await _said("dlq list --json"))
    assert (before[0]["letters"], cause["letters"]) == (1, 41)
    assert len(many) == len(few)
    with _readers() as newest:
        (some,) = json.loads(await _said("dlq list --newest 2 --json"))
    assert 2 < some["letters"] < 41
    assert len(newest) == len(few)


@contextmanager
def _readers() -> Iterator[list[AIOKafkaConsumer]]:
    """Every reader that starts meanwhile."""
    started: list[AIOKafkaConsumer] = []
    start = AIOKafkaConsumer.start

    async def counted(reader: AIOKafkaConsumer) -> None:
        started.append(reader)
        await start(reader)

    AIOKafkaConsumer.start = counted
    try:
        yield started
    finally:
        AIOKafkaConsumer.start = start
