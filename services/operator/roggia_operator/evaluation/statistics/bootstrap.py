"""Bounds on mean paired differences by a weighted bootstrap that stays honest for few and for mostly equal pairs.

Most questions get the same answer from two models, so paired differences are mostly 0. The usual percentile bootstrap
of twenty such pairs often sees hardly any difference, gives a narrow interval, and lets a worse model pass. Here each
resample weighs the pairs by Dirichlet(1, …, 1) (the Bayesian bootstrap: Rubin, Annals of Statistics 9(1), 1981), and
one more point at the worst possible difference takes part. Its alpha quantile is the bound of Gaffke (2005) in the form
of Learned-Miller and Thomas (arXiv 1905.06208; Phan et al., ICML 2021): conjectured to cover for every distribution on
a bounded interval and every sample size. For n pairs without any difference it is the exact binomial bound, about 3/n.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 2_000
SEED = 20_261_129
_BLOCK = 1 << 22
"""Random numbers held at a time: memory does not grow with the golden set."""
WORST = 1.0
"""Largest difference of two measures that lie in 0..1."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """Weighted means under each resample, and the further point's weight: resamples first, then as `values` were."""

    own: Floats
    extra: Floats

    def low(self, alpha: float) -> Floats:
        """Lower bound of each mean, wrong with probability at most `alpha`."""
        return np.quantile(self.own - WORST * self.extra, alpha, axis=0, method="lower")

    def high(self, alpha: float) -> Floats:
        """Upper bound of each mean, wrong with probability at most `alpha`."""
        return np.quantile(self.own + WORST * self.extra, 1 - alpha, axis=0, method="higher")

    def harm(self, margin: float) -> Floats:
        """p value of each mean for "not worse than the margin": small ones say that it is worse.

        (1 + hits) / (1 + resamples), so that it is never 0 (Phipson and Smyth 2010).
        """
        hits = np.sum(self.own + WORST * self.extra >= -margin, axis=0)
        return np.asarray((1 + hits) / (1 + len(self.own)), dtype=np.float64)


def resample(values: Floats, member: Floats, *, resamples: int = RESAMPLES, seed: int = SEED) -> Resampled:
    """Resample rows (questions), the same ones for all of `values`. Same input, same output.

    `member`, rows by columns, is 1 where a row belongs to a column's slice, else 0. `values` has the same columns, or
    is rows by sets by columns: one pass then serves every set, measure and slice.
    """
    sets = values.reshape(len(values), -1, member.shape[1])
    inside = (sets * member[:, None, :]).reshape(len(values), -1)
    parts = list(_weighted(inside, member, resamples, np.random.default_rng(seed)))
    own = np.concatenate([own for own, _ in parts]).reshape(resamples, *values.shape[1:])
    extra = np.concatenate([extra for _, extra in parts])
    return Resampled(own, extra if values.ndim == member.ndim else extra[:, None, :])


def _weighted(
    inside: Floats, member: Floats, resamples: int, random: np.random.Generator
) -> Iterator[tuple[Floats, Floats]]:
    rows, columns = member.shape
    step = max(1, _BLOCK // (rows + 1))
    for start in range(0, resamples, step):
        # Exponential draws over their sum are Dirichlet(1, …, 1), and so are those of any subset of rows.
        drawn = random.standard_exponential((min(step, resamples - start), rows + 1))
        extra = drawn[:, -1:]
        total = drawn[:, :-1] @ member + extra
        own = (drawn[:, :-1] @ inside).reshape(len(drawn), -1, columns) / total[:, None, :]
        yield own.reshape(len(drawn), -1), extra / total
