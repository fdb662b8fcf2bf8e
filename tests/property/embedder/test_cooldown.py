"""The pause after "too many requests", on a clock that the test moves."""

from __future__ import annotations

import math
import threading
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from roggia_embedder.embedding.cooldown import Cooldown, Gate, Pass, shared
from roggia_embedder.errors import ModelUnavailableError

ENDS = st.sampled_from(["answered", "failed", "limited"])
TOLD = st.one_of(st.none(), st.floats(0, 60))
PASSING = st.sampled_from([0.0, 0.0, 0.5, 5.0, 61.0])
STEP = st.tuples(st.sampled_from(["send", "end"]), st.integers(0, 9), ENDS, TOLD, PASSING)
SEND = ("send", 0, "answered", None, 0.0)


@settings(max_examples=300)
@given(st.lists(STEP, max_size=60))
@example([SEND, SEND, ("end", 0, "limited", 60.0, 0.0), ("end", 0, "limited", 1.0, 0.0), ("send", 0, "", None, 10.0)])
@example([SEND, SEND, ("end", 0, "limited", 1.0, 0.0), ("end", 0, "answered", None, 0.0), ("send", 0, "", None, 2.0)])
def test_nothing_is_sent_before_any_time_that_the_server_asked_for(
    steps: list[tuple[str, int, str, float | None, float]],
) -> None:
    """Any callers, in any order of sending and ending: each admission is at or after the latest "not before" heard so
    far; after a refusal one at a time is tried, until one that was sent after it is answered."""
    gate, now, not_before, wave, closed = Gate(lambda: 0.5), 0.0, -math.inf, 0, False
    under_way: list[Pass] = []
    for action, which, end, told, passing in steps:
        now += passing
        if action == "send" and gate.wait(now) == 0:
            passed = gate.admit()
            assert now >= not_before
            assert passed.probe == closed
            assert not (closed and any(one.wave == wave for one in under_way))
            under_way.append(passed)
        elif action == "end" and under_way:
            passed = under_way.pop(which % len(under_way))
            latest = passed.wave == wave
            if end == "limited":
                gate.refused(passed, now, told)
                not_before, closed, wave = max(not_before, now + (told or 0)), True, wave + latest
            gate.ended(passed, answered=end == "answered")
            closed = closed and not (end == "answered" and latest)


@given(st.lists(st.tuples(ENDS, TOLD), max_size=40))
def test_somebody_may_always_go_in_the_end(ends: list[tuple[str, float | None]]) -> None:
    """However requests ended, when none is under way the wait is finite, at most an hour, and leads to an admission."""
    gate, now = Gate(lambda: 1.0), 0.0
    for end, told in ends:
        wait = gate.wait(now)
        assert wait <= 3600
        now += wait + 1e-6
        passed = gate.admit()
        if end == "limited":
            gate.refused(passed, now, told)
        gate.ended(passed, answered=end == "answered")
    assert gate.wait(now) <= 3600


@given(st.integers(1, 30), st.integers(0, 5))
def test_refusals_of_one_moment_count_once(together: int, later: int) -> None:
    """Thirty requests refused together make the same pause as one; refusals one after the other make longer ones."""
    gate = Gate(lambda: 1.0)
    for passed in [gate.admit() for _ in range(together)]:
        gate.refused(passed, 0.0, None)
        gate.ended(passed, answered=False)
    assert gate.wait(0.0) == pytest.approx(1.0)
    now = 0.0
    for step in range(later):
        now += gate.wait(now)
        gate.refused(gate.admit(), now, None)
        assert gate.wait(now) == pytest.approx(2.0 ** (step + 1))


def test_threads_wait_and_go_one_alone_then_all() -> None:
    """Eight threads at the gate after a refusal: none within the pause, one until it is answered, then the others."""
    cooldown = Cooldown("http://model")
    cooldown.refused(cooldown.enter(time.monotonic()), 0.2)
    started, admitted, lock = time.monotonic(), [], threading.Lock()

    def ask() -> None:
        passed = cooldown.enter(time.monotonic() + 9)
        with lock:
            admitted.append((time.monotonic() - started, passed.probe))
        time.sleep(0.1)
        cooldown.ended(passed, answered=True)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [probe for _, probe in admitted] == [True] + [False] * 7
    assert admitted[0][0] >= 0.19
    assert admitted[1][0] >= 0.29


def test_who_cannot_wait_that_long_is_told_at_once() -> None:
    """A caller whose patience ends before the pause is not kept until then."""
    cooldown = Cooldown("http://model")
    cooldown.refused(cooldown.enter(time.monotonic()), 60.0)
    started = time.monotonic()
    with pytest.raises(ModelUnavailableError, match=r"http://model: too many requests.*for (59|60)\.\d s"):
        cooldown.enter(time.monotonic() + 5)
    assert time.monotonic() - started < 1


def test_one_cooldown_for_a_server_and_a_key() -> None:
    """Paths do not matter; hosts, ports and keys do."""
    assert shared("http://a:1/v1", "k") is shared("http://a:1/v2", "k")
    assert len({id(shared(url, key)) for url in ("http://a:1", "http://a:2", "https://a:1") for key in ("", "k")}) == 6
