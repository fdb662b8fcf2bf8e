"""How fast records come and are read, and how long reading the rest takes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from roggia_operator.lag.rules import Sight

MEMORY_S = 15.0
"""Time after which a rate that ended counts for about a third."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Records per second. `left_s`: seconds until caught up if both stay as they are; infinite if the lag does not
    shrink; 0 when caught up.
    """

    incoming: float
    outgoing: float
    left_s: float


def rates(window: Sequence[Sight]) -> Rates:
    """Rates from observations of one partition, oldest first; 0 and infinite time from a single one."""
    pairs = list(itertools.pairwise(window))
    incoming = _smooth([(now.at_s - then.at_s, now.end - then.end) for then, now in pairs])
    outgoing = _smooth([(now.at_s - then.at_s, _done(then, now)) for then, now in pairs])
    return Rates(incoming, outgoing, left_s(window[-1].lag, incoming, outgoing))


def total(parts: Sequence[tuple[int, Rates]]) -> Rates:
    """Rates of several partitions, each with its lag: together they are done when the slowest is."""
    return Rates(
        sum(part.incoming for _, part in parts),
        sum(part.outgoing for _, part in parts),
        max((part.left_s for lag, part in parts if lag), default=0.0),
    )


def left_s(lag: int, incoming: float, outgoing: float) -> float:
    """Seconds until `lag` records are read."""
    if lag == 0:
        return 0.0
    return lag / (outgoing - incoming) if outgoing > incoming else math.inf


def _done(then: Sight, now: Sight) -> int:
    """Offsets committed between two observations; a rewind is no progress."""
    return max(0, (now.committed or 0) - (then.committed or 0)) if then.committed is not None else 0


def _smooth(steps: Sequence[tuple[float, int]]) -> float:
    """Exponentially weighted rate of (seconds, records) steps: the weight of a step is its length in time."""
    rate = 0.0
    weight = 0.0
    for seconds, records in steps:
        if seconds <= 0:
            continue
        share = 1 - math.exp(-seconds / MEMORY_S)
        rate += share * (max(0, records) / seconds - rate)
        weight += share * (1 - weight)
    return rate / weight if weight else 0.0
