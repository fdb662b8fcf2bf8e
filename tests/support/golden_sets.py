"""Simulated golden sets: pairs of rankings of one relevant document, with a true difference that is known exactly.

Two models agree on most questions. Some are answered anew and independently by the second model, as well as by the
first; in some the second model loses the document. Ranks and deviations are like those measured between real models on
known items: MRR@10 about 0.56, standard deviation of paired differences 0.15 to 0.25.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]

_LIKELY = np.array([0.44, 0.13, 0.08, 0.05, 0.04, 0.03, 0.02, 0.02, 0.01, 0.01, 0.17])
"""Probabilities of ranks 1 to 10, and of no document found among them."""
_SHARES = _LIKELY / _LIKELY.sum()
MISSED = 10
"""Place of a document that is not among the first ten."""
_MRR = np.array([1 / rank for rank in range(1, 11)] + [0.0])
_NDCG = np.array([1 / np.log2(rank + 1) for rank in range(1, 11)] + [0.0])
MEAN = float(_SHARES @ _MRR)
_VARIANCE = float(_SHARES @ _MRR**2) - MEAN**2


@dataclass(frozen=True, slots=True)
class World:
    """`shift`: the second model's true MRR minus the first's, at most 0. `sd`: of differences without a shift."""

    shift: float = 0.0
    sd: float = 0.22

    def ranks(self, questions: int, sets: int, random: np.random.Generator) -> tuple[Ranks, Ranks]:
        """Places of the relevant document by both models, 0 the best, `(questions, sets)`."""
        old = random.choice(len(_SHARES), (questions, sets), p=_SHARES)
        churned = random.random(old.shape) < self.sd**2 / (2 * _VARIANCE)
        new = np.where(churned, random.choice(len(_SHARES), old.shape, p=_SHARES), old)
        # A loss costs MEAN in the mean, so this share of losses makes exactly `shift`.
        return old, np.where(random.random(old.shape) < -self.shift / MEAN, MISSED, new)

    def differences(self, questions: int, sets: int, random: np.random.Generator) -> Floats:
        """Differences of MRR@10, new minus old."""
        old, new = self.ranks(questions, sets, random)
        return np.asarray(_MRR[new] - _MRR[old], dtype=np.float64)


def scores(ranks: Ranks) -> Mapping[str, Floats]:
    """Both gated measures of one golden set."""
    return {"mrr@10": _MRR[ranks], "ndcg@10": _NDCG[ranks]}
