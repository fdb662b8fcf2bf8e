"""Which generation serves, follows or answers as a canary: the same for everybody who reads the same rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from roggia_runtime import generations
from roggia_schemas.events import (
    GenerationModel,
    GenerationSide,
    GenerationState,
    GenerationWish,
    IndexGeneration,
)

BASELINE = 1
SELECTIONS = st.sampled_from([(), ("acme/docs",), ("acme/*",), ("other/docs", "acme/notes")])


def row(number: int, state: GenerationState, cutover: int = 0, **facts: object) -> IndexGeneration:
    """One state side."""
    made = {
        "event_id": "01941f2a-0000-7000-8000-000000000008",
        "occurred_at": 0,
        "generation": number,
        "side": GenerationSide.STATE,
        "model": GenerationModel(uri=f"stub:{number}"),
        "wish": GenerationWish.FILL,
        "state": state,
        "cutover": cutover,
    }
    return IndexGeneration(**made | facts)  # type: ignore[arg-type]


@st.composite
def tables(draw: st.DrawFn) -> list[IndexGeneration]:
    """Some generations in any state."""
    numbers = draw(st.lists(st.integers(1, 6), unique=True, max_size=5))
    return [
        row(number, draw(st.sampled_from(GenerationState)), draw(st.integers(0, 5)), selection=draw(SELECTIONS))
        for number in numbers
    ]


@given(tables(), st.randoms())
def test_what_serves_depends_on_the_rows_alone(rows: list[IndexGeneration], chance: object) -> None:
    """In whatever order rows come, the answer is the same, it follows the log, and no later cutover was passed over."""
    number = generations.serving(rows, "acme", "docs", BASELINE)
    chance.shuffle(rows)  # type: ignore[attr-defined]
    assert generations.serving(rows, "acme", "docs", BASELINE) == number
    live = [r for r in rows if r.state is GenerationState.LIVE and generations.holds(r.selection, "acme", "docs")]
    if live:
        best = next(r for r in live if r.generation == number)
        assert best.cutover == max(r.cutover for r in live)
        assert number in generations.following(rows, BASELINE)
    else:
        assert number == BASELINE


@given(tables())
def test_nothing_is_both_followed_and_retired(rows: list[IndexGeneration]) -> None:
    """What may be deleted is never written to, and the baseline follows until its own record says otherwise."""
    followed = generations.following(rows, BASELINE)
    assert not followed & generations.retired(rows)
    known = {r.generation: r.state for r in rows}
    assert (BASELINE in followed) == (known.get(BASELINE, GenerationState.LIVE) in generations.FOLLOWING)


@given(st.integers(2, 9), st.floats(0, 100), st.text(max_size=20))
def test_a_canary_keeps_its_queries_as_it_grows(number: int, percent: float, query: str) -> None:
    """The same query gets the same answer every time, and a larger share takes no query away."""

    def asked(share: float) -> int | None:
        rows = [row(number, GenerationState.SHADOW, canary=share)]
        return generations.canary(rows, "acme", "docs", query)

    assert asked(percent) == asked(percent)
    assert asked(0) is None
    assert asked(100) == number
    if asked(percent) is not None:
        assert asked(min(100, percent + 7)) == number


def test_a_canary_gets_its_share() -> None:
    """Of 20,000 queries, 10 % go to a canary of 10 %, within three standard deviations (±0.64 %)."""
    rows = [row(2, GenerationState.SHADOW, canary=10)]
    picked = sum(generations.canary(rows, "acme", "docs", f"query {n}") == 2 for n in range(20_000))
    assert abs(picked / 200 - 10) < 0.64


@given(tables(), st.booleans())
def test_what_is_in_the_shadow_never_serves(rows: list[IndexGeneration], filling: bool) -> None:
    """It holds the knowledge base, is in SHADOW (or, where asked, FILLING), the newest that is, and not who serves."""
    found = generations.shadow(rows, "acme", "docs", filling=filling)
    states = {GenerationState.SHADOW, *([GenerationState.FILLING] if filling else [])}
    asked = [r for r in rows if r.state in states and generations.holds(r.selection, "acme", "docs")]
    assert (found is None) == (not asked)
    if found is not None:
        assert found.generation == max(r.generation for r in asked)
        known = {r.generation for r in rows}
        assert BASELINE in known or generations.serving(rows, "acme", "docs", BASELINE) != found.generation


@given(st.floats(0, 100), st.text(max_size=20))
def test_a_sample_keeps_its_queries_as_it_grows(percent: float, query: str) -> None:
    """Always or never for the same question; a larger sample holds the smaller one; 0 is nobody, 100 everybody."""
    chosen = generations.sampled("acme", query, percent)
    assert generations.sampled("acme", query, percent) == chosen
    assert not generations.sampled("acme", query, 0)
    assert generations.sampled("acme", query, 100)
    if chosen:
        assert generations.sampled("acme", query, min(100, percent + 7))


def test_a_sample_gets_its_share_whoever_answers_as_a_canary() -> None:
    """Of 20,000 queries 10 % (±0.64 %); of those that a canary of half answers, the same share (three deviations)."""
    rows = [row(2, GenerationState.SHADOW, canary=50)]
    picked = [f"query {n}" for n in range(20_000) if generations.sampled("acme", f"query {n}", 10)]
    both = sum(generations.canary(rows, "acme", "docs", query) == 2 for query in picked)
    assert abs(len(picked) / 200 - 10) < 0.64
    assert abs(both / len(picked) - 0.5) < 3 * 0.5 / len(picked) ** 0.5
