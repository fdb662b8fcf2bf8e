"""Jobs as the topic tells them, and the keeper that runs them: whatever one job is, the others go on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from msgspec.structs import replace as changed
from roggia_operator.jobs.keeper import Keeper
from roggia_operator.jobs.running import Running
from roggia_operator.jobs.specs import LOST, REFUSED
from roggia_operator.jobs.table import Job, JobTable
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import AdminError, UnavailableError
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

    async def events(self) -> list[OpsJob]:
        """Every state that was written."""
        records = [Record(one.topic, 0, 0, 1, one.key, one.value, one.headers) for one in self.outputs]
        return [await CODEC.decode(OpsJob, record) for record in records]

    async def states(self) -> dict[str, list[JobStatus]]:
        """Every status that was written, by job."""
        found: dict[str, list[JobStatus]] = {}
        for event in await self.events():
            found.setdefault(event.job_id, []).append(event.status)
        return found


class _Runner:
    """Counts its runs; breaks in an unforeseen way for jobs whose id says so."""

    kind = JobKind.REPLAY

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.specs: list[str] = []

    async def run(self, job: Running) -> str:
        """See `Runner`."""
        self.runs.append(job.job_id)
        self.specs.append(job.wanted.spec)
        if "bad" in job.job_id:
            raise ZeroDivisionError("nobody thought of that")
        return "done"


class _Refused:
    """Raises the same error four times, and is done then."""

    kind = JobKind.REPLAY

    def __init__(self, why: Exception) -> None:
        self._why, self._left = why, 4

    async def run(self, job: Running) -> str:
        """See `Runner`."""
        assert job.status is JobStatus.WAITING
        self._left -= 1
        if self._left >= 0:
            raise self._why
        return "done"


class _Waiting:
    """Waits until what is wanted changes, and writes a state then."""

    kind = JobKind.REPLAY

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def run(self, job: Running) -> str:
        """See `Runner`."""
        self.begun.set()
        await job.wait(10)
        await job.save(JobStatus.RUNNING)
        return job.wanted.spec


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


@pytest.mark.parametrize(
    ("why", "told"), [(AdminError("no topic of that name"), True), (UnavailableError("away"), False)]
)
async def test_a_job_that_waits_says_what_for(why: Exception, told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Kafka refuses again and again is in the job's state; while Kafka is away, no state can be written."""
    monkeypatch.setattr("roggia_operator.jobs.running.SAVE_EVERY_S", 0.0)
    runner, writer = _Refused(why), _Writer()
    keeper = Keeper(KafkaSettings(retry_first_s=0.001, retry_max_s=0.002), CODEC, [runner])
    async with asyncio.TaskGroup() as tasks:
        keeper._consider(Job("replay-1", _wanted()), tasks, cast("FencedWriter", writer))
    said = [event.message for event in await writer.events()]
    assert ("waits: no topic of that name" in said) is told
    assert said[-1] == "done"


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


async def test_a_specification_that_is_changed_is_refused_and_the_state_says_so() -> None:
    """The first one stands for whoever looks and for whoever runs it; a wish that comes with the other counts."""
    table = JobTable()
    table.put(_wanted())
    job = table.put(changed(_wanted(), spec='{"other": 1}', wish=JobWish.PAUSE))
    assert job.wanted is not None
    assert (job.wanted.spec, job.wish, job.refused) == ("{}", JobWish.PAUSE, True)
    job = table.put(changed(_wanted(), kind=JobKind.OFFBOARD))
    assert job.wanted is not None
    assert (job.wanted.kind, job.refused) == (JobKind.REPLAY, True)

    runner, writer = await _keep([job])
    assert runner.specs == ["{}"]
    (last,) = await writer.events()
    assert last.status is JobStatus.DONE
    assert last.message == f"done; {REFUSED}"
    assert not table.put(_wanted()).refused, "asked for as at first, there is nothing to refuse"


@pytest.mark.parametrize("wish", [JobWish.RUN, JobWish.PAUSE])
def test_a_cancel_stands_whoever_changes_the_job_at_the_same_moment(wish: JobWish) -> None:
    """Another operator, who has not seen it yet, changes a rate or resumes: the job still ends."""
    table = JobTable()
    table.put(_wanted())
    table.put(changed(_wanted(), wish=JobWish.CANCEL))
    job = table.put(changed(_wanted(), wish=wish, rates={"records": 5.0}))
    assert (job.wish, job.wanted and job.wanted.rates, job.refused) == (JobWish.CANCEL, {"records": 5.0}, False)


async def test_a_change_that_comes_while_a_job_runs_is_told_by_its_next_state() -> None:
    """The job goes on with what it began with."""
    table = JobTable()
    writer = _Writer()
    keeper = Keeper(KafkaSettings(), CODEC, [runner := _Waiting()])
    async with asyncio.TaskGroup() as tasks:
        keeper._consider(table.put(_wanted()), tasks, cast("FencedWriter", writer))
        await runner.begun.wait()
        other = changed(_wanted(), spec='{"other": 1}')
        keeper._consider(table.put(other), tasks, cast("FencedWriter", writer))
    assert [event.message for event in await writer.events()] == [REFUSED, f"{{}}; {REFUSED}"]


async def test_a_job_whose_first_specification_is_gone_does_not_go_on_with_another() -> None:
    """Compaction keeps the newest WANTED alone: the state knows that another one was begun, and the job fails."""
    _, writer = await _keep([Job("replay-1", _wanted())])
    (state,) = await writer.events()
    state = changed(state, status=JobStatus.RUNNING, ended_at=None)
    runner, writer = await _keep([Job("replay-1", changed(_wanted(), spec='{"other": 1}'), state)])
    (last,) = await writer.events()
    assert (runner.runs, last.status, last.message) == ([], JobStatus.FAILED, LOST)
    runner, writer = await _keep([Job("replay-1", _wanted(), state)])
    assert (runner.runs, (await writer.events())[-1].status) == (["replay-1"], JobStatus.DONE)


async def test_a_state_without_a_mark_is_gone_on_from() -> None:
    """Those of an older version have none; what a runner keeps in them stays."""
    state = changed(_wanted(), side=JobSide.STATE, status=JobStatus.RUNNING, spec='{"closed":{}}')
    runner, writer = await _keep([Job("replay-1", _wanted(), state)])
    (last,) = await writer.events()
    assert (runner.runs, last.status) == (["replay-1"], JobStatus.DONE)
    assert last.spec.startswith('{"closed":{},"of":"')
    _, writer = await _keep([Job("replay-1", _wanted(), changed(state, spec="[no object"))])
    assert [(event.status, event.spec) for event in await writer.events()] == [(JobStatus.DONE, "[no object")]
