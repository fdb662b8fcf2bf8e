"""Bounds of a share by counts."""

from __future__ import annotations

import math
from statistics import NormalDist


def lower(hits: int, count: int, confidence: float) -> float:
    """One-sided lower bound of a share by the score interval (Wilson, JASA 22, 1927). 0 for a count of 0."""
    if count == 0:
        return 0.0
    z, share = NormalDist().inv_cdf(confidence), hits / count
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, (middle - half) / (1 + z * z / count))
