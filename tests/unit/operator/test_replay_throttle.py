"""Live first: pace, buckets and the gate, as functions of what was seen and of a clock that the test moves."""

from __future__ import annotations

import asyncio
import math

import msgspec
import pytest
from roggia_operator.generations.waiting import unhurried
from roggia_operator.jobs.running import JobCancelledError, Running
from roggia_operator.lag import Measurement, PartitionLag
from roggia_operator.replay.buckets import Bucket
from roggia_operator.replay.downstream import after, of, slowest
from roggia_operator.replay.gate import Gate
from roggia_operator.replay.matching import Cost
from roggia_operator.replay.pressure import Pressure
from roggia_operator.replay.throttle import PATIENCE_S, Limits, Reading, ruling, share
from roggia_runtime.records import Partition
from roggia_schemas.events import GenerationState, JobKind, JobSide, JobStatus, JobWish, OpsJob

from tests.support.generation_cases import state

LIMITS = Limits(objective_s=30, window=100, least=2)


def job(**rates: float) -> Running:
    """A job whose states go nowhere."""

    async def save(_: OpsJob) -> None: ...

    wanted = OpsJob(
        event_id="01941f2a-0000-7000-8000-000000000006",
        occurred_at=0,
        job_id="replay-x",
        side=JobSide.WANTED,
        kind=JobKind.REPLAY,
        wish=JobWish.RUN,
        status=JobStatus.WAITING,
        rates=rates,
    )
    return Running(wanted, None, save)


@pytest.mark.parametrize(("age", "part"), [(0, 1), (15, 1), (22.5, 0.5), (30, 0), (300, 0), (math.inf, 0)])
def test_a_backfill_slows_from_half_the_objective_and_stops_at_it(age: float, part: float) -> None:
    """A straight line between half of the objective and the objective; unknown freshness counts as too late."""
    assert share(age, 30) == part


def test_what_holds_a_backfill_is_said_in_words_and_the_gravest_first() -> None:
    """Late live and a full window leave the minimum; ten windows leave nothing, whoever is at work downstream."""
    late = ruling(Reading(40, 0, "roggia.embed.g1"), LIMITS)
    assert late.share == 0
    assert late.reason == "live is 40 s behind in roggia.embed.g1, the objective is 30 s"
    assert not late.blocked
    assert "slowed to 33%" in ruling(Reading(25, 0), LIMITS).reason
    assert "the window is 100" in ruling(Reading(0, 100), LIMITS).reason
    full = ruling(Reading(0, 1400), LIMITS)
    assert full.blocked
    assert full.reason == "1,400 records wait downstream: nothing is sent from 1,000 on"
    assert ruling(Reading(10, 99), LIMITS) == ruling(Reading(), LIMITS)


def test_what_was_sent_since_the_last_look_counts_as_waiting() -> None:
    """Between two looks a fast job cannot pour more than the window; a look forgets only what it has seen."""
    pressure = Pressure(LIMITS)
    pressure.sent(100)
    assert pressure.ruling().share == 0
    pressure.begin()
    pressure.sent(5)
    pressure.update(Reading(0, 0))
    assert pressure.ruling().share == 1
    pressure.sent(95)
    assert pressure.ruling().share == 0


def test_a_window_that_was_reached_empties_before_more_is_sent() -> None:
    """In bursts, so that live meets idle stages between them; but not for long where something always waits."""
    clock = Clock()
    pressure = Pressure(LIMITS, clock)
    for waiting, share_left in ((99, 1), (100, 0), (60, 0), (21, 0), (20, 1), (99, 1), (110, 0)):
        pressure.update(Reading(0, waiting))
        assert pressure.ruling().share == share_left, waiting
    pressure.update(Reading(0, 60))
    clock.now = PATIENCE_S - 0.1
    assert pressure.ruling().share == 0
    clock.now = PATIENCE_S
    assert pressure.ruling().share == 1


@pytest.mark.parametrize("size", [1, 7, 50, 400])
def test_a_bucket_admits_its_rate_whatever_the_size_of_a_spend(size: int) -> None:
    """Over a long time the rate is kept to within one spend and the burst, also by spends above the burst."""
    bucket, now, spent = Bucket(100, 0.0), 0.0, 0
    while now < 60:
        wait = bucket.wait(now)
        if wait:
            now += wait
        else:
            bucket.spend(size, now)
            spent += size
    assert abs(spent - 6000) <= size + 25 + 1


def test_a_new_rate_holds_at_once() -> None:
    """A debt that was made at another rate is paid within a second of the new one."""
    bucket = Bucket(1, 0.0)
    bucket.spend(1000, 0.0)
    bucket.set(100, 0.0)
    assert bucket.wait(0.0) == pytest.approx(1.0)


async def test_the_gate_obeys_wishes_before_anything_else() -> None:
    """Cancel raises even when throttled; a paused job waits until it is told to go on, then goes at once."""
    running, pressure = job(), Pressure(LIMITS)
    gate = Gate(running, pressure)
    running.want(msgspec.structs.replace(running.wanted, wish=JobWish.PAUSE))
    waiting = asyncio.create_task(gate.admit(Cost(1, 1, 1)))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    running.want(msgspec.structs.replace(running.wanted, wish=JobWish.RUN))
    assert await asyncio.wait_for(waiting, 5) == (JobStatus.RUNNING, "")
    pressure.update(Reading(math.inf, 10**6))
    running.want(msgspec.structs.replace(running.wanted, wish=JobWish.CANCEL))
    with pytest.raises(JobCancelledError):
        await gate.admit(Cost(1, 1, 1))


async def test_a_job_keeps_its_minimum_while_live_is_late() -> None:
    """With live past its objective the job is THROTTLED, says so, and still sends about `least` records per second."""
    running, pressure, clock = job(), Pressure(LIMITS), Clock()
    pressure.update(Reading(60, 0, "roggia.ingest"))
    gate = Gate(running, pressure, clock)
    status, message = await gate.admit(Cost(1))
    assert status is JobStatus.THROTTLED
    assert "roggia.ingest" in message
    gate.sent(Cost(1))
    waits, sent = 0, 0
    while clock.now < 30:
        wait, *_ = gate.look(Cost(1))
        clock.now += wait
        waits += bool(wait)
        if not wait:
            gate.sent(Cost(1))
            sent += 1
    assert 50 <= sent <= 70
    assert waits


def test_rates_of_every_kind_hold_together_and_change_while_it_runs() -> None:
    """The strictest limit decides; one that is lifted decides no more."""
    running, clock = job(records=10, bytes=1000, tokens=50), Clock()
    gate = Gate(running, Pressure(Limits(window=10**9)), clock)
    assert spend(gate, clock, Cost(1, 100, 10), 20) == pytest.approx(100, abs=10), "tokens: 5 records a second"
    running.want(msgspec.structs.replace(running.wanted, rates={"records": 10}))
    assert spend(gate, clock, Cost(1, 100, 10), 20) == pytest.approx(200, abs=10)


def spend(gate: Gate, clock: Clock, cost: Cost, seconds: float) -> int:
    """Send as fast as the gate lets it, on a clock that only waits move; how many were sent."""
    end, sent = clock.now + seconds, 0
    while clock.now < end:
        wait, *_ = gate.look(cost)
        clock.now += wait
        if not wait:
            gate.sent(cost)
            sent += 1
    return sent


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_groups_that_read_no_documents_hold_nothing_up() -> None:
    """The operators' own group never throttles a job; a stage does, and what it has not taken counts as waiting."""
    measured = Measurement(
        0,
        (
            PartitionLag("roggia.operator.jobs", Partition("ops.job", 0), None, 0, 99, 99, 500.0, 500.0),
            PartitionLag("roggia.embed.g1", Partition("doc.chunked.c1", 0), 3, 0, 10, 7, 4.0, 4.0),
        ),
    )
    assert of(measured, "doc.changed") == Reading(4.0, 7, "roggia.embed.g1")
    assert of(measured, "doc.embedded.g1").waiting == 0


def test_a_generation_that_fills_holds_nothing_up() -> None:
    """It is behind by the whole corpus on purpose; so is one that was given up. What serves holds jobs up as ever."""
    measured = Measurement(
        0,
        (
            PartitionLag("roggia.embed.g1", Partition("doc.chunked.c1", 0), 3, 0, 10, 7, 4.0, 4.0),
            PartitionLag("roggia.embed.g2", Partition("doc.chunked.c1", 0), 0, 0, 10, 10, 9e6, 9e6),
        ),
    )
    for status, held in ((GenerationState.FILLING, 4.0), (GenerationState.RETIRED, 4.0), (GenerationState.LIVE, 9e6)):
        assert of(measured, "doc.changed", unhurried([state(2, status)])).age_s == held


def test_downstream_of_a_lane_are_the_lane_and_the_later_stages_only() -> None:
    """What waits before the job's own stage is not its doing, dead letters are nobody's."""
    known = [
        "doc.changed", "doc.changed.replay", "doc.chunked.c1", "doc.chunked.c1.replay", "doc.embedded.g2.dlq",
        "doc.embedded.g2", "doc.upserted",
    ]  # fmt: skip
    assert after("doc.changed", known) == {
        "doc.changed.replay",
        "doc.chunked.c1",
        "doc.chunked.c1.replay",
        "doc.embedded.g2",
    }
    assert after("doc.chunked.c1", known) == {"doc.chunked.c1.replay", "doc.embedded.g2"}
    assert after("doc.embedded.g2", known) == frozenset()
    assert slowest({"a": 1.0, "b": None}) == ("b", math.inf)
    assert slowest({}) == ("", 0.0)
