"""Laws of the gate, and its error rates on simulated golden sets. All of them: tests/bench/operator/bench_gate.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.gate import judge, judge_all, verdicts
from roggia_operator.evaluation.slices import EVERYTHING
from roggia_operator.evaluation.statistics import bootstrap, holm, power
from roggia_operator.evaluation.verdict import Compared, GateResult, GateSettings, Verdict

from tests.support.golden_sets import Floats, World, scores

QUICK = GateSettings(resamples=500)
SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0])


def _verdicts(world: World, questions: int, sets: int = 300, seed: int = 3) -> dict[str, float]:
    """Shares of the verdicts over simulated golden sets."""
    found = world.differences(questions, sets, np.random.default_rng(seed))
    drawn = bootstrap.resample(found[:, :, None], np.ones((questions, 1)), resamples=1_000)
    said = verdicts(drawn.low(0.05), drawn.high(0.05), 0.03)
    return {verdict.value: float(np.mean(said == verdict.value)) for verdict in Verdict}


@pytest.mark.parametrize("questions", [10, 20, 30, 75, 150, 300, 1_000])
def test_a_worse_model_hardly_ever_passes_however_few_the_questions(questions: int) -> None:
    """-0.05 MRR passes at most 5 % of sets of any size: also of sets so small that most show no difference at all."""
    assert _verdicts(World(shift=-0.05), questions)["pass"] <= 0.05


@pytest.mark.parametrize("questions", [30, 100, 400, 1_000])
def test_a_model_at_the_margin_passes_no_more_often_than_alpha(questions: int) -> None:
    """The hardest case, a loss of just the margin, passes 5 % of the time, within what 300 sets show by chance."""
    assert _verdicts(World(shift=-0.03), questions)["pass"] <= 0.085


@pytest.mark.parametrize("sd", [0.2, 0.25])
def test_an_equal_model_passes_with_a_thousand_questions_and_does_not_fail(sd: float) -> None:
    """Equal models pass at least 80 % of sets of 1,000 questions, and fail at most 5 % of sets of any size."""
    said = _verdicts(World(sd=sd), 1_000)
    assert said["pass"] >= 0.8
    for questions in (30, 75, 300, 1_000):
        assert _verdicts(World(sd=sd), questions)["fail"] <= 0.05


def test_small_sets_say_that_they_show_nothing() -> None:
    """With 30 questions nearly every set is inconclusive, of equal models and of worse ones."""
    assert _verdicts(World(), 30)["inconclusive"] >= 0.95
    assert _verdicts(World(shift=-0.05), 30)["inconclusive"] >= 0.95


def test_the_usual_bootstrap_would_let_worse_models_pass() -> None:
    """Why the further point is there: without it, a tenth and more of worse models pass with 20 questions."""
    found = World(shift=-0.05).differences(20, 300, np.random.default_rng(3))
    drawn = bootstrap.resample(found, np.ones_like(found), resamples=1_000)
    plain = np.quantile(drawn.own / (1 - drawn.extra), 0.05, axis=0)

    assert np.mean(plain > -0.03) > 0.10


@pytest.mark.parametrize("distance", [0.03, 0.05])
def test_the_needed_number_of_queries_is_enough_and_not_many_more(distance: float) -> None:
    """With as many questions as the gate asks for, an equal model passes about 80 % of the time, as it says."""
    world = World(sd=0.22)
    needed = power.needed(0.22, distance)
    assert needed is not None
    found = world.differences(needed, 400, np.random.default_rng(5))
    low = bootstrap.resample(found, np.ones_like(found), resamples=1_000).low(0.05)

    assert 0.72 <= float(np.mean(low > -distance)) <= 0.90


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_needed_number_is_there_or_told_to_be_out_of_reach(sd: float, distance: float) -> None:
    """Any deviation and distance, 0 too: a number of queries from 1 on, or None where it would be absurd."""
    needed = power.needed(sd, distance)

    assert needed is None or 1 <= needed <= power.MOST
    assert (needed is not None) or distance < 0.01


@given(arrays(np.float64, st.integers(1, 40), elements=st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])))
@settings(max_examples=50)
def test_bounds_hold_the_mean_between_them_and_stay_possible(found: Floats) -> None:
    """Any differences: low ≤ mean ≤ high, within what differences can be, and never of width 0."""
    column = found[:, None]
    drawn = bootstrap.resample(column, np.ones_like(column), resamples=400)
    low, high = float(drawn.low(0.05)[0]), float(drawn.high(0.05)[0])

    assert -1 <= low <= found.mean() <= high <= 1
    assert low < high


@pytest.mark.parametrize("count", [5, 30, 100])
def test_pairs_without_a_difference_give_the_exact_binomial_bound(count: int) -> None:
    """n equal pairs: the loss may still be 1 - 0.05^(1/n), about 3/n, and the bound says so."""
    column = np.zeros((count, 1))
    low = float(bootstrap.resample(column, np.ones_like(column), resamples=4_000).low(0.05)[0])

    assert low == pytest.approx(-(1 - 0.05 ** (1 / count)), rel=0.08)


@given(arrays(np.float64, (12, 2), elements=SCORES), st.integers(1, 11))
@settings(max_examples=30)
def test_a_slice_is_judged_by_its_own_questions_alone(found: Floats, size: int) -> None:
    """What stands outside a slice does not move its bounds: the same questions by themselves give the same mean."""
    member = (np.arange(12) < size).astype(np.float64)[:, None]
    column = found[:, :1]
    drawn = bootstrap.resample(column, member, resamples=200)
    other = bootstrap.resample(np.where(member > 0, column, 7.0), member, resamples=200)

    assert np.allclose(drawn.own, other.own)
    assert drawn.own.mean() == pytest.approx(column[:size].sum() / (size + 1), abs=0.12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_its_definition_step_by_step(p_values: list[float]) -> None:
    """Rejections at any alpha are those of the step-down procedure done by hand."""
    adjusted = holm.adjusted(p_values)
    for alpha in (0.01, 0.05, 0.2, 0.5):
        order = sorted(range(len(p_values)), key=lambda at: p_values[at])
        rejected = set()
        for step, at in enumerate(order):
            if p_values[at] * (len(p_values) - step) > alpha:
                break
            rejected.add(at)
        assert {at for at, value in enumerate(adjusted) if value <= alpha} == rejected


def _judged(world: World, questions: int, seed: int, harmed: float = 0.0, config: GateSettings = QUICK) -> GateResult:
    """The whole gate on one simulated set with ten slices; in the first slice, `harmed` of the documents are lost."""
    random = np.random.default_rng(seed)
    old, new = (ranks[:, 0] for ranks in world.ranks(questions, 1, random))
    slices = {f"tag=t{at}": np.arange(questions) % 10 == at for at in range(10)}
    new = np.where(slices["tag=t0"] & (random.random(questions) < harmed), 10, new)
    return judge(scores(old), scores(new), slices | {EVERYTHING: np.ones(questions, dtype=bool)}, config)


def test_ten_slices_do_not_make_equal_models_fail() -> None:
    """Holm over slices and measures: of 60 equal pairs with twenty tests each, at most a few fail."""
    failed = [_judged(World(), 1_000, seed).verdict is Verdict.FAIL for seed in range(60)]

    assert sum(failed) <= 6


def test_ten_slices_at_their_margin_fail_together_no_more_often_than_one_would() -> None:
    """The hardest case for many tests: every slice loses exactly its margin. Holm keeps the whole at 5 % of sets."""
    slices = {f"tag=t{at}": np.arange(1_000) % 10 == at for at in range(10)} | {EVERYTHING: np.ones(1_000, dtype=bool)}
    config = GateSettings(resamples=1_000, margin=0.5, slice_margin=0.05)
    old, new = World(shift=-0.05).ranks(1_000, 150, np.random.default_rng(12))
    pairs = [(scores(one), scores(other)) for one, other in zip(old.T, new.T, strict=True)]
    failed = [
        one.verdict is Verdict.FAIL for part in (pairs[:75], pairs[75:]) for one in judge_all(part, slices, config)
    ]

    assert sum(failed) <= 14


def test_one_harmed_slice_fails_the_whole_and_is_named() -> None:
    """A tenth of the questions lose a third of their documents: the mean hides it, the slice does not."""
    result = _judged(World(sd=0.1), 2_000, 1, harmed=0.35)

    assert result.verdict is Verdict.FAIL
    assert "tag=t0" in result.reason
    assert {one.slice for one in result.compared if one.verdict is Verdict.FAIL} == {"tag=t0"}


def _whole(result: GateResult) -> Compared:
    return result.compared[0]


def test_the_same_input_gives_the_same_verdict_and_numbers() -> None:
    """The seed is fixed: two runs of one comparison are equal to the last digit."""
    assert _judged(World(), 300, 4) == _judged(World(), 300, 4)


def test_below_the_least_number_of_queries_nothing_is_decided() -> None:
    """Fifty questions with a loss in every one: still inconclusive, with the number that would do."""
    old, new = (
        {name: np.ones(50) for name in ("mrr@10", "ndcg@10")},
        {name: np.zeros(50) for name in ("mrr@10", "ndcg@10")},
    )
    result = judge(old, new, {EVERYTHING: np.ones(50, dtype=bool)}, QUICK)

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "50 queries decide nothing; it takes about" in result.reason
    assert (_whole(result).needed_if_equal or 0) > 75


def test_a_bad_slice_of_too_small_a_set_decides_nothing_either() -> None:
    """Forty of fifty questions make a slice that loses all: with fifty questions that is still no verdict."""
    member = np.arange(50) < 40
    old = {name: np.ones(50) for name in ("mrr@10", "ndcg@10")}
    new = {name: np.where(member, 0.0, 1.0) for name in old}
    result = judge(old, new, {EVERYTHING: np.ones(50, dtype=bool), "tag=bad": member}, QUICK)

    assert result.verdict is Verdict.INCONCLUSIVE


def test_a_required_slice_has_to_show_itself() -> None:
    """A slice that is required and too small, or shows nothing, holds the whole up; not required, it does not."""
    required = GateSettings(resamples=500, required=("tag=t3",))
    absent = GateSettings(resamples=500, required=("identifier",))

    assert _judged(World(), 900, 8).verdict is Verdict.PASS
    held = _judged(World(), 900, 8, config=required)
    assert held.verdict is Verdict.INCONCLUSIVE
    assert "on tag=t3" in held.reason
    assert "identifier" in _judged(World(), 900, 8, config=absent).reason


def test_several_sets_at_once_are_judged_as_each_alone() -> None:
    """Calibration asks the gate that ships: results of `judge_all` are those of `judge`, number by number."""
    random = np.random.default_rng(9)
    slices = {EVERYTHING: np.ones(200, dtype=bool), "tag=even": np.arange(200) % 2 == 0}
    old, new = World(shift=-0.02).ranks(200, 5, random)
    pairs = [(scores(one), scores(other)) for one, other in zip(old.T, new.T, strict=True)]

    for alone, together in zip(
        [judge(*pair, slices, QUICK) for pair in pairs], judge_all(pairs, slices, QUICK), strict=True
    ):
        assert alone.verdict is together.verdict
        for one, other in zip(alone.compared, together.compared, strict=True):
            assert (one.low, one.high, one.harm) == pytest.approx((other.low, other.high, other.harm))


def test_a_required_slice_that_is_the_whole_set_is_judged_like_any_other() -> None:
    """A set of one tenant whose slice is required: it is there, it passes, and nobody calls it too small."""
    old, new = (ranks[:, 0] for ranks in World(sd=0.1).ranks(900, 1, np.random.default_rng(2)))
    everything = np.ones(900, dtype=bool)
    config = GateSettings(resamples=500, required=("tenant=acme",))
    result = judge(scores(old), scores(new), {EVERYTHING: everything, "tenant=acme": everything}, config)

    assert result.verdict is Verdict.PASS, result.reason
    assert {one.slice for one in result.compared} == {EVERYTHING, "tenant=acme"}


def test_scores_that_do_not_pair_are_refused() -> None:
    """One score too few, or one that is none, is an error that names the measure; never a verdict."""
    good = {name: np.full(80, 0.5) for name in ("mrr@10", "ndcg@10")}
    everything = {EVERYTHING: np.ones(80, dtype=bool)}
    for broken in (good["ndcg@10"][:79], np.full(80, np.nan), np.full(80, 1.5)):
        with pytest.raises(EvaluationError, match=r"ndcg@10: \d+ scores for 80 questions"):
            judge(good, good | {"ndcg@10": broken}, everything, QUICK)
