"""Jobs as the topic tells them, and the keeper that runs them: whatever one job is, the others go on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from msgspec.structs import replace as changed
from roggia_operator.jobs.keeper import Keeper
from roggia_operator.jobs.running import Running
from roggia_operator.jobs.table import Job, JobTable
from roggia_runtime.codec import EventCodec
from roggia_runtime.ids import uuid7
from roggia_runtime.leadership import FencedWriter
from roggia_runtime.records import Output, Record
from roggia_runtime.settings import KafkaSettings, RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import JobKind, JobSide, JobStatus, JobWish, OpsJob

CODEC = EventCodec(RegistrySettings(), source="/test")


def _wanted(job_id: str = "replay-1") -> OpsJob:
    return OpsJob(
        event_id=uuid7(),
        occurred_at=1,
        job_id=job_id,
        side=JobSide.WANTED,
        kind=JobKind.REPLAY,
        spec="{}",
        wish=JobWish.RUN,
        status=JobStatus.WAITING,
    )


def _record(event: OpsJob, key: bytes) -> Record:
    return Record(topics.OPS_JOB, 0, 0, 1, key, CODEC.encode(event, topics.OPS_JOB), ())


class _Writer:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    async def write(self, outputs: list[Output]) -> None:
        """See `FencedWriter`."""
        self.outputs += outputs

    async def states(self) -> dict[str, list[JobStatus]]:
        """Every status that was written, by job."""
        found: dict[str, list[JobStatus]] = {}
        for output in self.outputs:
            event = await CODEC.decode(OpsJob, Record(output.topic, 0, 0, 1, output.key, output.value, output.headers))
            found.setdefault(event.job_id, []).append(event.status)
        return found


class _Runner:
    """Counts its runs; breaks in an unforeseen way for jobs whose id says so."""

    kind = JobKind.REPLAY

    def __init__(self) -> None:
        self.runs: list[str] = []

    async def run(self, job: Running) -> str:
        """See `Runner`."""
        self.runs.append(job.job_id)
        if "bad" in job.job_id:
            raise ZeroDivisionError("nobody thought of that")
        return "done"


async def _keep(jobs: list[Job]) -> tuple[_Runner, _Writer]:
    runner, writer = _Runner(), _Writer()
    keeper = Keeper(KafkaSettings(retry_first_s=0.001, retry_max_s=0.002), CODEC, [runner])
    for job in jobs:
        async with asyncio.TaskGroup() as tasks:
            keeper._consider(job, tasks, cast("FencedWriter", writer))
    return runner, writer


async def test_a_job_that_breaks_unforeseen_fails_alone() -> None:
    """A specification that nobody thought of ends its own job, not the operator service and every other job."""
    runner, writer = await _keep([Job("replay-bad", _wanted("replay-bad")), Job("replay-1", _wanted())])
    states = await writer.states()
    assert states["replay-bad"][-1] is JobStatus.FAILED
    assert states["replay-1"][-1] is JobStatus.DONE
    assert runner.runs[-1] == "replay-1"


async def test_a_job_that_ended_is_not_run_again_by_an_older_state() -> None:
    """The keeper reads its own states a little later than it writes them: RUNNING may come after the end."""
    job = Job("replay-1", _wanted())
    late = replace(job, state=changed(_wanted(), side=JobSide.STATE, status=JobStatus.RUNNING))
    runner, _ = await _keep([job, late])
    assert runner.runs == ["replay-1"]


@pytest.mark.parametrize(
    ("job_id", "key"),
    [("replay-1", b"replay-2/wanted"), ("replay-1", b"replay-1/state"), ("No Name!", b"No Name!/wanted"), ("a/b", b"")],
)
async def test_a_record_under_another_key_is_no_job(job_id: str, key: bytes) -> None:
    """Compaction would keep it in the place of another, and an id that is no name can have no state."""
    table = JobTable()
    event: Any = _wanted(job_id)
    assert await table.take(_record(event, key), CODEC) is None
    assert list(table) == []
    assert await table.take(_record(_wanted(), b"replay-1/wanted"), CODEC) == table.get("replay-1")
