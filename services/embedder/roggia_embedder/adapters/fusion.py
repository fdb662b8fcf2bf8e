"""Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009), for stores that do not fuse themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from roggia_embedder.adapters.payload import RRF_K

Ranking: TypeAlias = list[tuple[str, float]]
"""Point ids with their scores, best first."""


def ranked(pairs: Sequence[tuple[str, float]]) -> Ranking:
    """Best first; equal scores in the order of their ids, so that a search answers the same twice."""
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def fuse(rankings: Sequence[Ranking]) -> Ranking:
    """One ranking alone keeps its scores; of several, each gives 1 / (60 + place) to what it found, from place 0."""
    if len(rankings) == 1:
        return rankings[0]
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, (key, _) in enumerate(ranking):
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + place)
    return ranked(list(scores.items()))
