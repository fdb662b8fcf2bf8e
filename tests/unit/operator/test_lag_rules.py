"""The rules by which a group is judged, and its rates, over windows made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from roggia_operator.lag.rates import rates
from roggia_operator.lag.rules import Sight, Status, judge, worst

EVERY_S = 10.0


def window(
    committed: Sequence[int | None], ends: Sequence[int], *, owned: bool = True, age_s: float = 99
) -> list[Sight]:
    """Observations ten seconds apart; what is unread is `age_s` old."""
    return [
        Sight(number * EVERY_S, place, end, end - (place or 0), age_s if end > (place or 0) else 0.0, owned)
        for number, (place, end) in enumerate(zip(committed, ends, strict=True))
    ]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (window([5, 5, 5, 5], [5, 5, 5, 5], owned=False), Status.OK),
        (window([5, 5, 5, 5], [5, 8, 9, 9]), Status.OK),
        (window([1, 2, 3, 4], [9, 9, 9, 9]), Status.OK),
        (window([1, 2, 3, 4], [9, 10, 12, 13]), Status.WARN),
        (window([3, 3, 3, 3], [9, 9, 9, 9]), Status.STALL),
        (window([None, None, None], [9, 9, 9]), Status.STALL),
        (window([3, 3, 3, 3], [9, 9, 9, 9], owned=False), Status.STOP),
        (window([1, 3, 3, 3], [9, 9, 9, 9], owned=False), Status.STOP),
        (window([1, 2, 3, 3], [9, 9, 9, 9], owned=False), Status.OK),
        (window([7, 8, 2, 3], [9, 9, 9, 9]), Status.REWIND),
        (window([9, 9, 2, 3], [9, 9, 9, 9]), Status.REWIND),
        (window([7, 2, 7, 8], [9, 9, 9, 9]), Status.OK),
        (window([9, 2, 2], [9, 9, 2]), Status.OK),
    ],
    ids=[
        "idle at the end, nobody there",
        "new records after the end was reached",
        "catching up",
        "works, falls behind",
        "owner commits nothing",
        "owner never committed",
        "nobody reads",
        "commits ended longer ago than they lasted",
        "commits have just ended: members may be coming",
        "went back",
        "went back from the end",
        "came back",
        "the topic was cut",
    ],
)
def test_a_window_gives_the_status_of_its_rule(seen: list[Sight], expected: Status) -> None:
    """Each rule is met by the window that it is about, and by no other."""
    assert judge(seen).status is expected


def test_little_traffic_is_never_taken_for_a_stop() -> None:
    """A record that came a moment ago, after hours without one, waits for nobody yet."""
    assert judge(window([5, 5, 5, 5], [6, 6, 6, 6], age_s=0.2, owned=False)).status is Status.OK


def test_a_short_window_tells_no_pace() -> None:
    """Before twenty seconds have been seen, WARN and STALL are not said, and the verdict says that it is unsure."""
    verdict = judge(window([3, 3], [9, 9]))
    assert (verdict.status, verdict.sure) == (Status.OK, False)


def test_a_group_is_as_bad_as_its_worst_partition() -> None:
    """The order of severity is OK, WARN, STALL, STOP, REWIND."""
    assert worst([Status.OK, Status.STALL, Status.WARN]) is Status.STALL
    assert worst([]) is Status.OK


def test_rates_and_the_time_that_is_left() -> None:
    """Steady traffic gives its own rates; the rest is read at what reading gains on what comes."""
    found = rates(window([0, 30, 60, 90], [200, 210, 220, 230]))
    assert found.incoming == pytest.approx(1)
    assert found.outgoing == pytest.approx(3)
    assert found.left_s == pytest.approx(70)


def test_a_lag_that_does_not_shrink_is_never_read() -> None:
    """Time left is infinite when reading is no faster than what comes, and 0 at the end."""
    assert math.isinf(rates(window([0, 10, 20], [50, 60, 70])).left_s)
    assert rates(window([5, 5], [5, 5])).left_s == 0
    assert math.isinf(rates(window([1], [5])).left_s)
