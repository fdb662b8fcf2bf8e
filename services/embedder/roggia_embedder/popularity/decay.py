"""Scores that halve with time, kept as (score, as of when): nothing has to be touched for them to decay. Pure.

Forward decay (Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay, ICDE 2009) with an exponential: a score is the sum
over requests of weight x 2^-(age / half-life). All terms shrink by the same factor in the same time, so that the sum
of what came earlier is one number and a time, and the order in which requests come does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from roggia_schemas.events import RetrievedPassage


@dataclass(frozen=True, slots=True)
class Score:
    """The sum at one moment, `as_of` (milliseconds since the epoch): the time of the newest request in it."""

    value: float
    as_of: int

    def at(self, moment: int, half_life_ms: int) -> float:
        """What it is worth at a moment; before `as_of` it would be worth more, and is: nothing is clamped."""
        return self.value * _factor(moment - self.as_of, half_life_ms)

    def plus(self, other: Score, half_life_ms: int) -> Score:
        """Both together, as of the later one. Commutative, and associative but for rounding."""
        late, early = (self, other) if self.as_of >= other.as_of else (other, self)
        return Score(late.value + early.at(late.as_of, half_life_ms), late.as_of)


def rank_weight(rank: int) -> float:
    """What a result at `rank` (from 1) counts: 1/log2(rank + 1), the discount of nDCG.

    Järvelin, Kekäläinen: Cumulated gain-based evaluation of IR techniques, TOIS 2002. Results further down are read
    less, and an answer shows all of them: without a discount the tenth result of every query would count as much as
    the one that was asked for. It is also how the evaluation weighs ranks, so both mean the same by "matters".
    """
    return 1.0 / math.log2(rank + 1)


def weights(results: Sequence[RetrievedPassage]) -> dict[str, float]:
    """What one answer adds, by document. A document counts once, at its best rank: a long one has more passages in an
    answer, and was not asked for more often."""
    found: dict[str, float] = {}
    for rank, passage in enumerate(results, start=1):
        found.setdefault(passage.doc_id, rank_weight(rank))
    return found


def _factor(age_ms: int, half_life_ms: int) -> float:
    """2^-(age / half-life); 0.0 where that underflows, and 2^1023 at most."""
    return math.pow(2.0, max(-1_074.0, min(1_023.0, -age_ms / half_life_ms)))
