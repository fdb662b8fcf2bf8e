"""Whose turn it is."""

from __future__ import annotations

from roggia_runtime.consumer.lanes import Lanes
from roggia_runtime.settings import BatchLimits, DlqLimits, LaneSettings


class Clock:
    """Stands until it is told."""

    now = 100.0

    def __call__(self) -> float:
        """The time, seconds."""
        return self.now


def _lanes(*names: str, **settings: float) -> tuple[Lanes, Clock]:
    clock = Clock()
    return Lanes(names or ("t.replay",), LaneSettings(**settings), DlqLimits(), clock), clock


def test_a_lane_waits_until_live_topics_have_rested() -> None:
    """Right after live work nothing of a lane is looked at, unless live work has earned it a batch."""
    lanes, clock = _lanes(idle_ms=20)
    assert lanes.rest_s() == 0
    lanes.worked("", 1.0)
    assert 0 < lanes.rest_s() <= 0.02
    clock.now += 0.02
    assert lanes.rest_s() == 0


def test_live_work_earns_the_minimum_share() -> None:
    """Over many cycles in which live topics never rest, the lane gets its share of the time, and not more."""
    lanes, _ = _lanes(min_share=0.1)
    spent = {"": 0.0, "t.replay": 0.0}
    for _ in range(2_000):
        side = "t.replay" if lanes.due() else ""
        seconds = 0.05 if side else 0.02
        spent[side] += seconds
        lanes.worked(side, seconds)
    assert 0.09 < spent["t.replay"] / sum(spent.values()) < 0.11


def test_credit_is_not_hoarded() -> None:
    """A lane that was empty for a day does not take its share of that day at once."""
    lanes, _ = _lanes(min_share=0.5)
    lanes.worked("t.replay", 0.05)
    for _ in range(10_000):
        lanes.worked("", 0.02)
    turns = 0
    while lanes.due():
        lanes.worked("t.replay", 0.05)
        turns += 1
    assert turns == 1


def test_without_a_share_a_lane_has_only_rests() -> None:
    """A share of 0 is allowed, and means it."""
    lanes, _ = _lanes(min_share=0)
    lanes.worked("", 100.0)
    assert not lanes.due()


def test_a_paused_lane_rests_and_then_begins_a_new_window() -> None:
    """It is named meanwhile; a batch that goes through ends the trouble."""
    lanes, clock = _lanes(pause_s=60)
    limiter = lanes.limiter("t.replay")
    lanes.pause("t.replay", "too many dead letters")
    assert lanes.open() == []
    assert lanes.notes() == ["lane t.replay is paused (tries again in 60 s): too many dead letters"]
    clock.now += 60
    assert lanes.open() == ["t.replay"]
    assert lanes.limiter("t.replay") is not limiter
    assert lanes.succeeded("t.replay")
    assert lanes.notes() == []


def test_lanes_take_turns() -> None:
    """The one that worked last comes last; one that is missing comes not at all."""
    lanes, _ = _lanes("a.replay", "b.replay", "c.replay")
    lanes.missing({"c.replay": "the topic does not exist"})
    lanes.worked("a.replay", 0.1)
    assert lanes.open() == ["b.replay", "a.replay"]
    assert lanes.notes() == ["lane c.replay is not read: the topic does not exist"]


def test_a_lane_batch_is_a_part_of_a_live_one() -> None:
    """Live waits for the lane's batch in hand: it is small, and waits for nothing."""
    lanes, _ = _lanes(batch_share=0.25)
    assert lanes.limits(BatchLimits(max_records=200, max_bytes=1000)) == BatchLimits(
        max_records=50, max_bytes=250, max_wait_ms=0
    )
    assert lanes.limits(BatchLimits(max_records=1, max_bytes=1)).max_records == 1
