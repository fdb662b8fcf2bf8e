"""Has the content moved? Maximum mean discrepancy between the embeddings of two windows, with a permutation test.

The unbiased estimator of MMD² and the test: Gretton et al., JMLR 13, 2012, lemma 6 and section 4; Gaussian kernel, its
bandwidth the median distance of the pooled points (section 8). Both windows must be embedded by one model: embeddings
of two models have nothing to do with each other. Take one passage of each document: passages of one document are alike,
and the test holds for independent points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from roggia_operator.evaluation.drift.trigger import Kind, Trigger
from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.statistics.bootstrap import SEED, Floats

ALPHA = 0.01
"""Of one look. Looks are repeated, day after day: at 0.05 there would be an alarm every three weeks."""
PERMUTATIONS = 999
MOST_POINTS = 1_000
"""Points of a window that are used; more make the test dearer by their square."""
LEAST_POINTS = 20
_BLOCK = 256


def content(
    reference: ArrayLike, recent: ArrayLike, *, alpha: float = ALPHA, permutations: int = PERMUTATIONS, seed: int = SEED
) -> Trigger:
    """Compare the embeddings (rows) of two windows. Fires when p ≤ `alpha`; `value` is p.

    Raises `EvaluationError` for windows of fewer than `LEAST_POINTS` points or of two dimensions. For two windows of
    one distribution, whatever it is, it fires with probability at most `alpha`: the test is exact.
    """
    random = np.random.default_rng(seed)
    one, other = _window("reference", reference, random), _window("recent", recent, random)
    if one.shape[1] != other.shape[1]:
        raise EvaluationError(f"windows: embeddings of {one.shape[1]} and {other.shape[1]} numbers; give one model's")
    kernel = _kernel(np.vstack([one, other]))
    seen, p_value = _test(kernel, len(one), permutations, random)
    evidence = {"mmd2": seen, "reference": float(len(one)), "recent": float(len(other))}
    return Trigger(kind=Kind.CONTENT, fired=p_value <= alpha, value=p_value, threshold=alpha, evidence=evidence)


def mmd2(kernel: Floats, first: Floats) -> Floats:
    """Unbiased MMD² for ways to split the points: `first` has one 0/1 column each, `kernel` a diagonal of zeros."""
    m, total = first.sum(axis=0), float(len(kernel))
    n = total - m
    toward = kernel @ first
    within = np.sum(first * toward, axis=0)
    across = np.sum(toward, axis=0) - within
    rest = float(kernel.sum()) - within - 2 * across
    return np.asarray(within / (m * (m - 1)) + rest / (n * (n - 1)) - 2 * across / (m * n), dtype=np.float64)


def _window(name: str, points: ArrayLike, random: np.random.Generator) -> Floats:
    rows = np.asarray(points, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < LEAST_POINTS:
        count = len(rows) if rows.ndim else 0
        raise EvaluationError(f"{name}: {count} embeddings; a window needs at least {LEAST_POINTS}: take a longer one")
    if len(rows) <= MOST_POINTS:
        return rows
    return rows[random.choice(len(rows), MOST_POINTS, replace=False)]


def _kernel(points: Floats) -> Floats:
    norms = np.sum(points**2, axis=1)
    squared = np.maximum(norms[:, None] + norms[None, :] - 2 * points @ points.T, 0.0)
    apart = squared[np.triu_indices(len(points), 1)]
    # Half of all points alike: the median is 0, and any bandwidth that is not will do.
    width = float(np.median(apart)) or float(apart.mean()) or 1.0
    kernel = np.exp(-squared / (2 * width))
    np.fill_diagonal(kernel, 0.0)
    return np.asarray(kernel, dtype=np.float64)


def _test(kernel: Floats, first: int, permutations: int, random: np.random.Generator) -> tuple[float, float]:
    """MMD² as seen, and the share of splits at random, this one among them, that are as far apart (Phipson, Smyth)."""
    split = (np.arange(len(kernel)) < first).astype(np.float64)
    seen = float(mmd2(kernel, split[:, None])[0])
    as_far = 0
    for start in range(0, permutations, _BLOCK):
        count = min(_BLOCK, permutations - start)
        splits = random.permuted(np.broadcast_to(split, (count, len(split))), axis=1).T
        # Sums in another order differ in their last digits, and equal splits must count as equal.
        as_far += int(np.sum(mmd2(kernel, splits) >= seen - 1e-12))
    return seen, (1 + as_far) / (1 + permutations)
