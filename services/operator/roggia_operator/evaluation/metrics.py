"""Measures of one ranking against judgements. Pure. Those of two rankings against each other are the runtime's.

A ranking is a sequence of distinct keys (documents, or chunks), best first. Judgements map keys to grades; above 0 is
relevant. Callers: `scoring` for every question of an evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from roggia_runtime.rankings import DEPTH, Ranking, overlap, rbo

__all__ = ["DEPTH", "PROBED", "RECALL_DEPTHS", "Grades", "Ranking", "ndcg", "overlap", "precision", "rbo", "recall",
           "reciprocal_rank"]  # fmt: skip

Grades: TypeAlias = Mapping[str, int]

RECALL_DEPTHS = (1, 5, 10)
PROBED = 5
"""Depth of precision: what an answer is usually made of."""


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
