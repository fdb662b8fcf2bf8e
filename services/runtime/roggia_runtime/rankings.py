"""How far two rankings agree. Pure. Alarms, never gates: they say how different two answers are, not which is better.

A ranking is a sequence of distinct keys (documents, or chunks), best first. Callers: the query role for what runs in
the shadow, evaluation for every question that two generations were asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Ranking: TypeAlias = Sequence[str]

DEPTH = 10
"""Depth of what a page of results shows: of overlap, and of the measures of quality."""
PERSISTENCE = 0.9
"""RBO's p: the first ten ranks carry 86 % of the weight (Webber et al. 2010, eq. 21)."""


def overlap(one: Ranking, other: Ranking, k: int = DEPTH) -> float:
    """Share of keys that the first `k` of both have in common; of the longer one when both are shorter than `k`.

    It says how different two rankings are, not which is better: an alarm, never a gate.
    """
    first, second = set(one[:k]), set(other[:k])
    longest = max(len(first), len(second))
    return len(first & second) / longest if longest else 1.0


def rbo(one: Ranking, other: Ranking, p: float = PERSISTENCE) -> float:
    """Rank-biased overlap, extrapolated (Webber, Moffat, Zobel, ACM TOIS 28(4), 2010, eq. 32). An alarm, never a gate.

    Agreement is assumed to go on as it was at the end of each list, so lists of unequal length compare too. Two empty
    rankings agree; an empty one agrees with no other.
    """
    short, long = sorted((one, other), key=len)
    if not short:
        return 0.0 if long else 1.0
    seen, common = _agreements(short, long), len(long)
    at_short = seen[len(short) - 1]
    total = 0.0
    for depth, found in enumerate(seen, 1):
        beyond = max(0, depth - len(short)) * at_short / len(short)
        total += (found + beyond) / depth * p**depth
    tail = (seen[-1] - at_short) / common + at_short / len(short)
    return (1 - p) / p * total + tail * p**common


def _agreements(short: Ranking, long: Ranking) -> list[int]:
    """Keys in common at every depth of the longer ranking."""
    left: set[str] = set()
    right: set[str] = set()
    found = []
    for depth, key in enumerate(long):
        left.add(key)
        right.update(short[depth : depth + 1])
        found.append(len(left & right))
    return found
