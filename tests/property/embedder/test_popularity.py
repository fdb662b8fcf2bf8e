"""Laws of decayed scores and of the order that rests on them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roggia_embedder.generations.order import Candidate, OrderRules, ahead, batches, priority, ranked
from roggia_embedder.popularity.counts import Counts, Rules
from roggia_embedder.popularity.decay import Score
from roggia_schemas.events import DocPopularity

from tests.support.popularity import served

HALF_LIFE = 7 * 86_400_000
START = 1_700_000_000_000
SCORES = st.builds(Score, st.floats(0.001, 100.0), st.integers(START, START + 30 * HALF_LIFE))
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.text("abcdef", min_size=1, max_size=4),
        st.floats(0.01, 1e6),
        st.integers(0, 1_000_000),
        st.floats(0.0, 1.0),
        st.floats(0.0, 100_000.0),
    ),
    unique_by=lambda one: one.name,
    max_size=20,
)


def close(a: float, b: float) -> bool:
    """Equal but for rounding."""
    return a == pytest.approx(b, rel=1e-9, abs=1e-12)


@given(st.lists(SCORES, min_size=1, max_size=12), st.randoms(use_true_random=False), st.integers(0, 5 * HALF_LIFE))
def test_the_order_of_requests_does_not_matter(scores: list[Score], chance: object, later: int) -> None:
    """However requests are shuffled, and in whatever groups they are added, the sum is the same at every later time,
    and it is the sum of what each of them is worth by then."""

    def total(parts: list[Score]) -> Score:
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.plus(part, HALF_LIFE)
        return whole

    moment = max(score.as_of for score in scores) + later
    wanted = sum(score.at(moment, HALF_LIFE) for score in scores)
    half = len(scores) // 2
    grouped = [total(part) for part in (scores[:half], scores[half:]) if part]
    chance.shuffle(scores)  # type: ignore[attr-defined]
    assert close(total(scores).at(moment, HALF_LIFE), wanted)
    assert close(total(grouped).at(moment, HALF_LIFE), wanted)


@given(SCORES, st.integers(0, 10 * HALF_LIFE), st.integers(0, 10 * HALF_LIFE))
def test_decay_composes(score: Score, first: int, second: int) -> None:
    """Decaying twice is decaying once for the sum of both times; a half-life halves."""
    between = score.as_of + first
    twice = Score(score.at(between, HALF_LIFE), between).at(between + second, HALF_LIFE)
    assert close(twice, score.at(score.as_of + first + second, HALF_LIFE))
    assert close(score.at(score.as_of + HALF_LIFE, HALF_LIFE), score.value / 2)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3 * HALF_LIFE)), min_size=1, max_size=30), st.integers(1, 29)
)
def test_a_restart_between_two_requests_changes_nothing(requests: list[tuple[int, int]], cut: int) -> None:
    """Counting on from what was published gives the score that one worker would have had without a restart."""
    rules = Rules(HALF_LIFE, interval_ms=0, tolerance=0.0, floor=1e-9, most=1_000)
    now = START + 10 * HALF_LIFE
    rows: dict[str, DocPopularity] = {}
    whole, first, second = (Counts(rules, known) for known in ({}.get, {}.get, rows.get))
    for place, (doc, age) in enumerate(requests):
        event = served([f"d{doc}"], START + age)
        whole.take(event, now)
        (first if place < cut else second).take(event, now)
        if place < cut:
            rows.update({key: row(state, now) for key, state in first.due(now, 100, closing=True)})
    told = dict(rows) | {key: row(state, now) for key, state in second.due(now, 100, closing=True)}
    for key, state in whole.due(now, 100, closing=True):
        assert close(told[key].score, state.score.value)
        assert (told[key].requests, told[key].as_of) == (state.requests, state.score.as_of)


def row(state: object, now: int) -> DocPopularity:
    """The record of a state."""
    return DocPopularity(
        event_id="01941f2a-0000-7000-8000-000000000009",
        occurred_at=now,
        tenant_id=state.tenant_id,  # type: ignore[attr-defined]
        domain=state.domain,  # type: ignore[attr-defined]
        doc_id=state.doc_id,  # type: ignore[attr-defined]
        score=state.score.value,  # type: ignore[attr-defined]
        as_of=state.score.as_of,  # type: ignore[attr-defined]
        half_life_ms=HALF_LIFE,
        requests=state.requests,  # type: ignore[attr-defined]
    )


@given(CANDIDATES, st.randoms(use_true_random=False))
def test_an_order_depends_on_the_candidates_alone(waiting: list[Candidate], chance: object) -> None:
    """It holds every candidate once, whatever the order they came in, the most urgent first."""
    order = ranked(waiting)
    chance.shuffle(waiting)  # type: ignore[attr-defined]
    assert ranked(waiting) == order
    assert sorted(one.name for one in order) == sorted(one.name for one in waiting)
    busiest = max((one.traffic for one in waiting), default=0.0)
    urgent = [priority(one, busiest) for one in order]
    assert urgent == sorted(urgent, reverse=True)


@given(CANDIDATES, st.integers(1, 500_000))
def test_batches_keep_order_and_budget(waiting: list[Candidate], budget: int) -> None:
    """Everything comes, in order; no batch of several exceeds the budget."""
    made = list(batches(waiting, budget))
    assert [one for batch in made for one in batch] == waiting
    assert all(len(batch) == 1 or sum(one.cost for one in batch) <= budget for batch in made)


@given(st.floats(0.0, 0.99), st.integers(0, 1_000_000))
def test_nobody_waits_for_ever(traffic: float, cost: int) -> None:
    """Whoever has waited longer than the patience goes before the busiest document that comes now and costs as much."""
    rules = OrderRules(patience_s=100.0)
    old = Candidate("old", traffic, cost, 0.5, 101.0)
    new = Candidate("new", 1.0, cost, 0.5, 0.0)
    assert [one.name for one in ranked([new, old], rules)] == ["old", "new"]


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_ahead_is_a_share(offset: int, position: int, end: int) -> None:
    """From 0 for what the log pass has read or reads next, to 1 for what it reads last."""
    share = ahead(offset, position, end)
    assert 0.0 <= share <= 1.0
    assert share == 0.0 or position < offset
