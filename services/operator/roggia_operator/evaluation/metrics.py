"""Measures of one ranking against judgements, and of two rankings against each other. Pure.

A ranking is a sequence of distinct keys (documents, or chunks), best first. Judgements map keys to grades; above 0 is
relevant. Callers: `scoring` for every question of an evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Ranking: TypeAlias = Sequence[str]
Grades: TypeAlias = Mapping[str, int]

DEPTH = 10
"""Depth of nDCG, MRR and overlap, and the deepest recall that a page of results shows."""
RECALL_DEPTHS = (1, 5, 10)
PROBED = 5
"""Depth of precision: what an answer is usually made of."""
PERSISTENCE = 0.9
"""RBO's p: the first ten ranks carry 86 % of the weight (Webber et al. 2010, eq. 21)."""


def recall(ranking: Ranking, grades: Grades, k: int) -> float:
    """Share of the relevant keys among the first `k` (Manning et al. 2008, ch. 8). Needs one relevant key."""
    relevant = {key for key, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:k])) / len(relevant)


def precision(ranking: Ranking, grades: Grades, k: int = PROBED) -> float:
    """Share of the first `k` that is relevant; with fewer relevant keys than `k`, over their number.

    Precision at k (Manning et al. 2008, ch. 8) cannot reach 1 for a question with one answer; this can, so that an
    objective means the same for every question. Needs one relevant key.
    """
    relevant = {key for key, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:k])) / min(k, len(relevant))


def reciprocal_rank(ranking: Ranking, grades: Grades, k: int = DEPTH) -> float:
    """1 / rank of the first relevant key, 0 when none is among the first `k` (Voorhees, TREC-8 1999)."""
    return next((1 / rank for rank, key in enumerate(ranking[:k], 1) if grades.get(key, 0) > 0), 0.0)


def ndcg(ranking: Ranking, grades: Grades, k: int = DEPTH) -> float:
    """Discounted cumulative gain at `k` over the best that any ranking could have.

    Discount log2(rank + 1) by Järvelin and Kekäläinen (ACM TOIS 20(4), 2002), gain 2^grade - 1 by Burges et al. (ICML
    2005). Needs one relevant key.
    """
    ideal = sorted(grades.values(), reverse=True)
    return _dcg([grades.get(key, 0) for key in ranking[:k]]) / _dcg(ideal[:k])


def _dcg(grades: Sequence[int]) -> float:
    return math.fsum((2.0**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def overlap(one: Ranking, other: Ranking, k: int = DEPTH) -> float:
    """Share of keys that the first `k` of both have in common; of the longer one when both are shorter than `k`.

    It says how different two rankings are, not which is better: an alarm, never a gate.
    """
    first, second = set(one[:k]), set(other[:k])
    longest = max(len(first), len(second))
    return len(first & second) / longest if longest else 1.0


def rbo(one: Ranking, other: Ranking, p: float = PERSISTENCE) -> float:
    """Rank-biased overlap, extrapolated (Webber, Moffat, Zobel, ACM TOIS 28(4), 2010, eq. 32). An alarm, never a gate.

    Agreement is assumed to go on as it was at the end of each list, so lists of unequal length compare too. Two empty
    rankings agree; an empty one agrees with no other.
    """
    short, long = sorted((one, other), key=len)
    if not short:
        return 0.0 if long else 1.0
    seen, common = _agreements(short, long), len(long)
    at_short = seen[len(short) - 1]
    total = 0.0
    for depth, found in enumerate(seen, 1):
        beyond = max(0, depth - len(short)) * at_short / len(short)
        total += (found + beyond) / depth * p**depth
    tail = (seen[-1] - at_short) / common + at_short / len(short)
    return (1 - p) / p * total + tail * p**common


def _agreements(short: Ranking, long: Ranking) -> list[int]:
    """Keys in common at every depth of the longer ranking."""
    left: set[str] = set()
    right: set[str] = set()
    found = []
    for depth, key in enumerate(long):
        left.add(key)
        right.update(short[depth : depth + 1])
        found.append(len(left & right))
    return found
