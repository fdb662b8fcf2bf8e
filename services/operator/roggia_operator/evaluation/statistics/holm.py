"""Holm's step-down correction: of many tests, which are significant with a family-wise error of at most alpha."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def adjusted(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p values in the order given, for alpha (Holm, Scandinavian Journal of Statistics 6(2), 1979)."""
    found = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(found, kind="stable")
    factors = np.arange(len(found), 0, -1)
    stepped = np.maximum.accumulate(np.minimum(1.0, found[order] * factors))
    made = np.empty_like(stepped)
    made[order] = stepped
    return made
