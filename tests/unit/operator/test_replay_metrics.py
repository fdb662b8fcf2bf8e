"""Metrics of replay jobs: what was sent, and what jobs waited for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from prometheus_client import REGISTRY
from roggia_operator.jobs.running import JobCancelledError, Running
from roggia_operator.replay.gate import Gate
from roggia_operator.replay.matching import Cost, Matcher
from roggia_operator.replay.pressure import Pressure
from roggia_operator.replay.runner import Work
from roggia_operator.replay.selection import Selection
from roggia_operator.replay.throttle import Limits, Reading
from roggia_runtime.ranges import Piece
from roggia_runtime.records import Output, Partition, Record
from roggia_schemas.events import JobKind, JobSide, JobStatus, JobWish, OpsJob

from tests.support.replaying import codec, document, output


def metric(name: str, **labels: str) -> float:
    """What a metric says now."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Waiting(Running):
    """A job whose waits move a clock; it is cancelled after as many as are given."""

    def __init__(self, waits: int, **rates: float) -> None:
        async def save(_: OpsJob) -> None: ...

        super().__init__(wanted(rates), None, save)
        self.now, self._waits = 0.0, waits

    def clock(self) -> float:
        """The time."""
        return self.now

    async def wait(self, timeout_s: float) -> None:
        """See `Running`."""
        self.now += timeout_s
        self._waits -= 1
        if not self._waits:
            self.want(msgspec.structs.replace(self.wanted, wish=JobWish.CANCEL))


def wanted(rates: dict[str, float]) -> OpsJob:
    """A job as it was asked for."""
    return OpsJob(
        event_id="01941f2a-0000-7000-8000-000000000006",
        occurred_at=0,
        job_id="replay-x",
        side=JobSide.WANTED,
        kind=JobKind.REPLAY,
        wish=JobWish.RUN,
        status=JobStatus.WAITING,
        rates=rates,
    )


@pytest.mark.parametrize(
    ("reading", "rates", "by", "other"),
    [(Reading(0, 10**6), {}, "live", "limits"), (Reading(), {"records": 0.01}, "limits", "live")],
)
async def test_time_that_a_job_waits_is_counted_by_what_holds_it(
    reading: Reading, rates: dict[str, float], by: str, other: str
) -> None:
    """An operator sees whether live or the job's own limit makes it slow."""
    job, pressure = Waiting(5, **rates), Pressure(Limits())
    pressure.update(reading)
    gate = Gate(job, pressure, job.clock)
    gate.look(Cost(1))
    gate.sent(Cost(1))
    name = "roggia_replay_throttled_seconds_total"
    before, unmoved = metric(name, by=by), metric(name, by=other)
    with pytest.raises(JobCancelledError):
        await gate.admit(Cost(1))
    assert metric(name, by=by) - before == pytest.approx(job.now)
    assert job.now > 0
    assert metric(name, by=other) == unmoved


class Sink:
    """Takes everything."""

    async def deliver(self, outputs: Sequence[Output]) -> None:
        """See `runner.Sink`."""


async def test_offsets_that_were_lost_are_counted_with_the_position_that_passes_them() -> None:
    """A job that is stopped there and goes on counts them once: no state shows them without the new position."""
    job, where = Waiting(1), Partition("doc.changed", 0)
    gap = Piece(where, (), 40, lost=40)
    work = Work(job, Matcher(Selection(topic=where.topic), codec()), Sink(), Gate(job, Pressure(Limits())))
    job.want(msgspec.structs.replace(job.wanted, wish=JobWish.CANCEL))
    with pytest.raises(JobCancelledError):
        await work.piece(gap)
    assert (job.positions, job.counts) == ({}, {})
    job.want(msgspec.structs.replace(job.wanted, wish=JobWish.RUN))
    await work.piece(gap)
    assert (job.positions, job.counts["lost"]) == ({"doc.changed/0": 40}, 40)


async def test_what_was_sent_is_counted_by_topic() -> None:
    """Records and their bytes, as the job's own counts have them."""
    job, labels = Waiting(5), {"topic": "doc.changed"}
    before = [metric(f"roggia_replay_{name}_total", **labels) for name in ("records", "bytes")]
    made = [output(document(f"d{n}")) for n in range(7)]
    records = tuple(Record("doc.changed", 0, n, 1, one.key, one.value, one.headers) for n, one in enumerate(made))
    work = Work(job, Matcher(Selection(topic="doc.changed"), codec()), Sink(), Gate(job, Pressure(Limits())))
    await work.piece(Piece(Partition("doc.changed", 0), records, 7))
    after = [metric(f"roggia_replay_{name}_total", **labels) for name in ("records", "bytes")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [7, job.counts["bytes"]]
