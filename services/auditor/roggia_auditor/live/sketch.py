"""Quantiles of latencies from counts in fixed buckets: mergeable, of bounded size, with a known relative error. Pure.

DDSketch (Masson, Rim, Lee: DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees, PVLDB
12(12), 2019) with its logarithmic mapping. Bucket i holds (gamma^(i-1), gamma^i] with gamma = (1 + error)/(1 - error),
and stands for the value that is at most `ERROR` away from both ends. All buckets are the same everywhere, so that
sketches of slots and partitions are merged by adding counts, in any order, to the sketch of the whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

ERROR = 0.01
"""Largest relative error of a quantile, for values between the two that follow."""
SMALLEST_MS = 0.1
LARGEST_MS = 3_600_000.0
"""What is smaller or larger is counted as these: at most 871 buckets."""
_GAMMA = (1 + ERROR) / (1 - ERROR)
_LOG_GAMMA = math.log(_GAMMA)


def bucket(value_ms: float) -> int:
    """The bucket of a value in milliseconds. Negative values and NaN count as the smallest."""
    held = min(value_ms, LARGEST_MS) if value_ms > SMALLEST_MS else SMALLEST_MS
    return math.ceil(math.log(held) / _LOG_GAMMA)


def middle(number: int) -> float:
    """The value that stands for a bucket: 2 gamma^i / (gamma + 1)."""
    return 2 * math.exp(number * _LOG_GAMMA) / (_GAMMA + 1)


@dataclass(slots=True)
class Sketch:
    """How many values each bucket holds."""

    counts: dict[int, int] = field(default_factory=dict)

    def add(self, value_ms: float) -> None:
        """Count one value, milliseconds."""
        number = bucket(value_ms)
        self.counts[number] = self.counts.get(number, 0) + 1

    def merge(self, other: Sketch) -> None:
        """Count everything that another has counted."""
        for number, count in other.counts.items():
            self.counts[number] = self.counts.get(number, 0) + count

    def quantile(self, share: float) -> float | None:
        """The value at rank floor(share × (n - 1)) of n in order, milliseconds; None of nothing. 0 ≤ share ≤ 1."""
        rank, seen = math.floor(share * (sum(self.counts.values()) - 1)), 0
        for number in sorted(self.counts):
            seen += self.counts[number]
            if seen > rank:
                return middle(number)
        return None
