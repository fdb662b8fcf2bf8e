"""Laws of the live views: what they show is what the topic holds, recomputed, whatever happened on the way."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from roggia_auditor.live.sketch import ERROR, LARGEST_MS, SMALLEST_MS, Sketch, bucket
from roggia_auditor.live.views import FOLDED, HORIZON_MS, Views
from roggia_auditor.live.windows import WINDOWS, Cell, Cells, Hit, Key, merged

START = 1_735_732_800_000
LATENCIES = st.floats(min_value=SMALLEST_MS, max_value=LARGEST_MS)


class Logged(NamedTuple):
    """One record of the log, and what it adds."""

    partition: int
    offset: int
    appended_at: int
    hits: tuple[Hit, ...]


STEPS = st.tuples(
    st.sampled_from((0, 1, 5_000, 14_999, 55_000, 61_000, 285_000, 3_540_000, 3_700_000)),  # since the record before
    st.integers(0, 2),  # partition
    st.integers(1, 3),  # offsets since the one before
    st.sampled_from((0, 0, 1, 4_000, 59_999, 3_599_999, 7_200_000)),  # late by
    st.sampled_from(("m", "n")),
    st.integers(0, 1),  # errors
    st.integers(0, 10**9),  # tokens
)


def logged(steps: Sequence[tuple[int, int, int, int, str, int, int]]) -> list[Logged]:
    """Records in the order of their arrival, offsets with gaps, times late by up to two hours."""
    found: list[Logged] = []
    now, offsets = START, [0, 0, 0]
    for pause, partition, gap, late, model, errors, tokens in steps:
        now += pause
        offsets[partition] += gap
        hit = Hit(Key(f"t{partition}", "p", model, "", "", ""), now - late, 1, errors, tokens, tokens / 100)
        found.append(Logged(partition, offsets[partition], now, (hit, hit._replace(requests=0, latency_ms=None))))
    return found


LATER = st.sampled_from((0, 0, 1, 4_999)) | st.integers(0, 4_000_000)
"""From the newest record to the moment of a question, milliseconds."""
LOGS = st.lists(STEPS, min_size=1, max_size=25).map(logged)


def recomputed(log: Sequence[Logged], at: int) -> Mapping[Key, Cells]:
    """The definition: of all hits in the log, those whose slot a window holds."""
    found: dict[Key, Cells] = defaultdict(lambda: tuple(Cell() for _ in WINDOWS))
    for logged in log:
        for hit in logged.hits:
            for window, cell in zip(WINDOWS, found[hit.key], strict=True):
                if hit.at // window.slot_ms in window.slots(at):
                    cell.add(hit)
    return {key: cells for key, cells in found.items() if any(cell.requests or cell.tokens for cell in cells)}


def read_again(views: Views, log: Sequence[Logged], partition: int, now: int) -> None:
    """What a new owner does: forget, then count what the longest window needs."""
    views.begin(partition)
    for one in log:
        if one.partition == partition and one.appended_at >= now - HORIZON_MS:
            views.take(*one)


@given(LOGS, st.lists(st.sampled_from(("on", "on", "again", "moved", "read")), min_size=25), LATER)
def test_views_are_those_of_the_topic(log: list[Logged], steps: list[str], later: int) -> None:
    """However often partitions move, records are handed on again, and slots are forgotten on the way: at any moment
    from the newest record on, every window of every key is the recomputed one, latencies bucket by bucket."""
    views = Views(most=10_000)
    for number in range(3):
        views.begin(number)
    for count, one in enumerate(log, 1):
        views.take(*one)
        step = steps[count - 1]
        if step == "again":
            assert not any(views.take(*old) for old in log[:count] if old.partition == one.partition)
        elif step == "moved":
            views.leave([0, 1])
            read_again(views, log[:count], 2, one.appended_at)
        elif step == "read":
            views.read(one.appended_at)
    at = log[-1].appended_at + later

    assert views.read(at) == recomputed(log, at)


@given(LOGS)
def test_a_start_from_nothing_gives_the_same_views(log: list[Logged]) -> None:
    """Rebuilt from the last hour of the topic, views are those of a process that has read it all."""
    at, rebuilt = log[-1].appended_at, Views(most=10_000)
    for number in range(3):
        read_again(rebuilt, log, number, at)

    assert rebuilt.read(at) == recomputed(log, at)


@given(LOGS, st.integers(1, 4))
def test_beyond_the_limit_of_keys_sums_still_hold(log: list[Logged], most: int) -> None:
    """What has no room is counted together: keys are bounded (one more for what is together), the whole is complete."""
    views = Views(most)
    for number in range(3):
        views.begin(number)
    for one in log:
        views.take(*one)
    at = log[-1].appended_at
    found = views.read(at)

    assert merged(found.values()) == merged(recomputed(log, at).values())
    assert len(set(found) - {FOLDED}) <= most


@given(st.lists(LATENCIES, min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_within_the_stated_error(values: list[float], share: float) -> None:
    """Of the value at rank floor(share (n - 1)), as DDSketch promises."""
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    exact = sorted(values)[math.floor(share * (len(values) - 1))]
    found = sketch.quantile(share)

    assert found is not None
    assert abs(found - exact) <= exact * ERROR * (1 + 1e-9)


@given(st.lists(LATENCIES, max_size=50), st.lists(LATENCIES, max_size=50))
def test_merged_sketches_are_the_sketch_of_the_whole(some: list[float], others: list[float]) -> None:
    """Whatever was counted where: not nearly, but bucket by bucket."""
    one, other, whole = Sketch(), Sketch(), Sketch()
    for value in some:
        one.add(value)
        whole.add(value)
    for value in others:
        other.add(value)
        whole.add(value)
    one.merge(other)

    assert one == whole


@given(st.floats())
def test_no_value_is_too_strange_and_buckets_are_bounded(value: float) -> None:
    """A publisher's NaN, infinity or negative latency is one of at most 871 buckets."""
    low, high = bucket(SMALLEST_MS), bucket(LARGEST_MS)

    assert low <= bucket(value) <= high
    assert high - low < 871
