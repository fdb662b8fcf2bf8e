"""Rank measures and their uncertainty, in numpy. A rank is from 1; 0 means not found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.int64]
DEPTH = 10


def reciprocal(ranks: Ranks) -> NDArray[np.float64]:
    """Reciprocal rank at depth 10, per query."""
    found = (ranks > 0) & (ranks <= DEPTH)
    return np.where(found, 1.0 / np.maximum(ranks, 1), 0.0)


def recall(ranks: Ranks) -> NDArray[np.float64]:
    """1 where the one thing wanted is among the first 10, per query."""
    return ((ranks > 0) & (ranks <= DEPTH)).astype(np.float64)


def gain(ranks: Ranks) -> NDArray[np.float64]:
    """nDCG at depth 10 with one relevant result, per query."""
    found = (ranks > 0) & (ranks <= DEPTH)
    return np.where(found, 1.0 / np.log2(np.maximum(ranks, 1) + 1.0), 0.0)


def paired_interval(
    ours: NDArray[np.float64], base: NDArray[np.float64], resamples: int = 2_000
) -> tuple[float, float]:
    """95 % percentile interval of mean(ours - base) by the paired bootstrap (Efron), with a fixed seed."""
    difference = ours - base
    picks = np.random.default_rng(7).integers(0, len(difference), (resamples, len(difference)))
    low, high = np.percentile(difference[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
