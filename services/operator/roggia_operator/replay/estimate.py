"""From a sample of windows to a total with its error. Pure.

A partition is cut into windows of equal length; some are read, chosen at random without repetition. Totals are
stratified by partition. The error is that of a cluster sample at 99.9 %, so that twenty plans in a row may be believed;
where few windows hold a match, a binomial bound on their share takes the place of the normal one, which would be too
narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CONFIDENCE = 0.999
_Z = 3.5
"""Two-sided 99.9 % quantile, with room for a sample of some dozen windows."""
_FEW = 30
"""Windows with a match below which the binomial bound is used."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the plan. `exact`: `low`, `value` and `high` are one."""

    value: int
    low: int
    high: int

    @property
    def exact(self) -> bool:
        """Whether it was counted."""
        return self.low == self.high

    @classmethod
    def counted(cls, value: int) -> Figure:
        """A number that was counted."""
        return cls(value, value, value)


@dataclass(frozen=True, slots=True)
class Window:
    """What one window held: matching records, their bytes and tokens."""

    records: int = 0
    bytes: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Stratum:
    """One partition: how many windows it has, and those that were read."""

    windows: int
    read: list[Window] = field(default_factory=list)


def total(strata: Sequence[Stratum], of: Callable[[Window], int], most: int) -> Figure:
    """The sum of `of` over all windows. `most`: what one window can hold at most, for when nothing was found."""
    values = [[of(window) for window in stratum.read] for stratum in strata]
    seen = sum(map(sum, values))
    if all(len(part) == stratum.windows for part, stratum in zip(values, strata, strict=True)):
        return Figure.counted(seen)
    estimate = sum(s.windows * _mean(part) for s, part in zip(strata, values, strict=True))
    error = _Z * math.sqrt(sum(_variance(s.windows, part) for s, part in zip(strata, values, strict=True)))
    high = max(estimate + error, _rare(strata, values, most))
    return Figure(round(estimate), max(seen, math.floor(estimate - error)), math.ceil(high))


def _rare(strata: Sequence[Stratum], values: Sequence[Sequence[int]], most: int) -> float:
    """A bound on the total where few windows hold anything; 0 where many do."""
    found = [value for part in values for value in part]
    positive = [value for value in found if value]
    if len(positive) >= _FEW:
        return 0.0
    windows = sum(stratum.windows for stratum in strata)
    return windows * share_bound(len(positive), len(found)) * min(most, 2 * max(positive, default=most))


def share_bound(hits: int, tries: int) -> float:
    """Clopper and Pearson's upper bound of a share, one-sided at half of what `CONFIDENCE` leaves."""
    if tries == 0 or hits >= tries:
        return 1.0
    low, high, left = hits / tries, 1.0, (1 - CONFIDENCE) / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(hits, tries, middle) > left else (low, middle)
    return high


def _at_most(hits: int, tries: int, share: float) -> float:
    """Probability of at most `hits` in `tries`."""
    return sum(math.comb(tries, k) * share**k * (1 - share) ** (tries - k) for k in range(hits + 1))


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def _variance(windows: int, values: Sequence[int]) -> float:
    """Of a stratum's estimated total."""
    read = len(values)
    if read in (0, windows):
        return 0.0
    mean = _mean(values)
    spread = sum((value - mean) ** 2 for value in values) / (read - 1) if read > 1 else max(values) ** 2 or 1
    return windows**2 * (1 - read / windows) * spread / read
