"""Laws of the metrics: they are what their definitions say, for any ranking and any judgements."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from roggia_operator.evaluation import metrics

KEYS = st.sampled_from("abcdefgh")
RANKINGS = st.lists(KEYS, unique=True, max_size=8)
GRADES = st.dictionaries(KEYS, st.integers(0, 4), min_size=1, max_size=5).filter(lambda found: any(found.values()))
DEPTHS = st.integers(1, 10)


def _gain(ranking: tuple[str, ...] | list[str], grades: dict[str, int], k: int) -> float:
    """Discounted gain by its definition, one rank after the other."""
    total = 0.0
    for rank in range(1, k + 1):
        if rank <= len(ranking):
            total += (2 ** grades.get(ranking[rank - 1], 0) - 1) / math.log(rank + 1, 2)
    return total


@given(RANKINGS, GRADES, DEPTHS)
def test_ndcg_is_the_gain_over_the_best_of_all_orders(ranking: list[str], grades: dict[str, int], k: int) -> None:
    """The ideal is the best of every order of the judged documents, tried one by one."""
    best = max(_gain(order, grades, k) for order in itertools.permutations(grades))

    assert metrics.ndcg(ranking, grades, k) == pytest.approx(_gain(ranking, grades, k) / best)


@given(RANKINGS, GRADES, DEPTHS)
def test_recall_counts_relevant_documents_among_the_first(ranking: list[str], grades: dict[str, int], k: int) -> None:
    """Found over all relevant ones; grade 0 is judged and not relevant."""
    relevant = [key for key in grades if grades[key] > 0]
    found = sum(1 for key in relevant if key in ranking and ranking.index(key) < k)

    assert metrics.recall(ranking, grades, k) == found / len(relevant)


@given(RANKINGS, GRADES, DEPTHS)
def test_precision_is_over_what_can_be_had(ranking: list[str], grades: dict[str, int], k: int) -> None:
    """Relevant ones among the first k, over k or all relevant ones: 1 for a perfect ranking, whatever is judged."""
    relevant = [key for key in grades if grades[key] > 0]
    hits = sum(1 for key in ranking[:k] if key in relevant)

    assert metrics.precision(ranking, grades, k) == hits / min(k, len(relevant))
    assert metrics.precision(relevant, grades, k) == 1.0


@given(RANKINGS, GRADES, DEPTHS)
def test_reciprocal_rank_is_of_the_first_relevant_one(ranking: list[str], grades: dict[str, int], k: int) -> None:
    """One over the least rank of all relevant documents within the depth, else 0."""
    ranks = [ranking.index(key) + 1 for key in grades if grades[key] > 0 and key in ranking]
    within = [rank for rank in ranks if rank <= k]

    assert metrics.reciprocal_rank(ranking, grades, k) == (1 / min(within) if within else 0.0)


@given(RANKINGS, GRADES, DEPTHS)
def test_putting_a_better_document_first_never_costs(ranking: list[str], grades: dict[str, int], k: int) -> None:
    """Exchanging two neighbours so that the higher grade comes first lowers neither nDCG nor MRR."""
    assume(len(ranking) > 1)
    worse = [at for at in range(len(ranking) - 1) if grades.get(ranking[at], 0) < grades.get(ranking[at + 1], 0)]
    assume(worse)
    better = list(ranking)
    better[worse[0]], better[worse[0] + 1] = better[worse[0] + 1], better[worse[0]]

    assert metrics.ndcg(better, grades, k) >= metrics.ndcg(ranking, grades, k) - 1e-12
    assert metrics.reciprocal_rank(better, grades, k) >= metrics.reciprocal_rank(ranking, grades, k)


def _endless(one: list[str], other: list[str], p: float) -> float:
    """RBO as the infinite sum that it is, with the agreement at the end of each list carried on, term by term."""
    short, long = sorted((one, other), key=len)
    total, depth, agreement, carried = 0.0, 0, 0.0, len(set(short) & set(long[: len(short)])) / len(short)
    while p**depth > 1e-13:
        depth += 1
        if depth <= len(long):
            common = len(set(long[:depth]) & set(short[:depth]))
            agreement = (common + carried * max(0, depth - len(short))) / depth
        total += (1 - p) * p ** (depth - 1) * agreement
    return total


@given(RANKINGS.filter(bool), RANKINGS.filter(bool), st.sampled_from([0.5, 0.9, 0.98]))
def test_rbo_is_its_infinite_sum(one: list[str], other: list[str], p: float) -> None:
    """The closed form equals the definition, also for lists of unequal length; the order of the two is no matter."""
    assert metrics.rbo(one, other, p) == pytest.approx(_endless(one, other, p), abs=1e-9)
    assert metrics.rbo(one, other, p) == pytest.approx(metrics.rbo(other, one, p))


@given(RANKINGS, RANKINGS, DEPTHS)
def test_likeness_lies_between_0_and_1_and_is_1_for_the_same(one: list[str], other: list[str], k: int) -> None:
    """Overlap and RBO of a ranking with itself are 1, of rankings with nothing in common 0."""
    for measure in (lambda x, y: metrics.overlap(x, y, k), metrics.rbo):
        assert -1e-12 <= measure(one, other) <= 1 + 1e-12
        assert measure(one, one) == pytest.approx(1.0)
        if one and not set(one) & set(other):
            assert measure(one, other) == 0.0


@given(RANKINGS, RANKINGS, DEPTHS)
def test_overlap_is_what_both_have_in_common(one: list[str], other: list[str], k: int) -> None:
    """Common keys over the longer of both beginnings."""
    longest = max(len(one[:k]), len(other[:k]))
    common = [key for key in one[:k] if key in other[:k]]

    assert metrics.overlap(one, other, k) == (len(common) / longest if longest else 1.0)
