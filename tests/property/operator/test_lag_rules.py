"""Laws of the verdict over any window."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from roggia_operator.lag.rates import rates
from roggia_operator.lag.rules import Sight, Status, judge

STEPS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans(), st.floats(0.5, 30)), min_size=1, max_size=25
)


@st.composite
def windows(draw: st.DrawFn) -> list[Sight]:
    """Any window: places and ends move as they like, back too."""
    at, seen = 0.0, []
    for committed, more, owned, gap in draw(STEPS):
        at += gap
        end = committed + more
        seen.append(Sight(at, committed, end, more, 5.0 if more else 0.0, owned))
    return seen


@given(windows())
def test_at_the_end_is_always_ok(seen: list[Sight]) -> None:
    """Whatever happened before: a group that has read everything is OK."""
    last = replace(seen[-1], committed=seen[-1].end, lag=0, lag_s=0.0)
    assert judge([*seen[:-1], last]).status is Status.OK


@given(windows())
def test_a_rewind_is_exactly_a_place_behind_the_furthest(seen: list[Sight]) -> None:
    """REWIND is said if and only if the group is not at the end and was further before."""
    behind = seen[-1].lag > 0 and seen[-1].committed < max(sight.committed or 0 for sight in seen)  # type: ignore[operator]
    assert (judge(seen).status is Status.REWIND) == behind


@given(windows())
def test_an_owner_is_never_said_to_have_stopped(seen: list[Sight]) -> None:
    """STOP needs that nobody owns the partition; STALL and WARN that nobody came near the end in the window."""
    status = judge(seen).status
    assert status is not Status.STOP or not seen[-1].owned
    if status in (Status.STALL, Status.WARN, Status.STOP):
        assert not any(sight.near for sight in seen)


@given(windows(), st.floats(0, 1e6))
def test_the_verdict_does_not_depend_on_the_clock(seen: list[Sight], shift: float) -> None:
    """Only differences in time count: the same window at another time of day gives the same status."""
    whole = [replace(sight, at_s=float(round(sight.at_s))) for sight in seen]
    later = [replace(sight, at_s=sight.at_s + round(shift)) for sight in whole]
    assert judge(whole) == judge(later)


@given(windows())
def test_rates_are_never_negative_and_lie_between_the_steps(seen: list[Sight]) -> None:
    """A smoothed rate is at most the fastest step, and time left is 0 exactly at the end."""
    found = rates(seen)
    steps = [(now.end - then.end) / (now.at_s - then.at_s) for then, now in itertools.pairwise(seen)]
    assert 0 <= found.incoming <= max([0.0, *steps]) + 1e-6
    assert found.outgoing >= 0
    assert (found.left_s == 0) == (seen[-1].lag == 0)
