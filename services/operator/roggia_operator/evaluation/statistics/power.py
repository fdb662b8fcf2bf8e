"""How many queries a decision needs. Normal approximation (Sakai, Information Retrieval Journal 19(3), 2016)."""

from __future__ import annotations

import math
from statistics import NormalDist

POWER = 0.8
USUAL_SD = 0.25
"""Standard deviation of paired reciprocal ranks between two good models, as measured: 0.15 to 0.25."""
MOST = 10_000_000
_PRIOR = 20
"""Queries for which `USUAL_SD` counts: the deviation of a few pairs, often 0, is not believed alone."""


def spread(sd: float, count: int) -> float:
    """The deviation to plan with: what was seen, drawn towards the usual one while little was seen."""
    return math.sqrt((count * sd**2 + _PRIOR * USUAL_SD**2) / (count + _PRIOR))


def needed(sd: float, distance: float, *, alpha: float = 0.05, power: float = POWER) -> int | None:
    """Queries with which a true difference `distance` away from the margin is decided with probability `power`.

    Solves distance = (z_alpha + z_power) sd / √n + 1/n; the last term is what the bootstrap's further point takes. None
    when it would be more than `MOST`: nobody has so many, and it is as well as equal to the margin.
    """
    normal = NormalDist()
    slope = (normal.inv_cdf(1 - alpha) + normal.inv_cdf(power)) * sd
    root = 2 * max(0.0, distance) / (slope + math.sqrt(slope**2 + 4 * max(0.0, distance)) or 1.0)
    return math.ceil(1 / root**2) if root**2 * MOST >= 1 else None
