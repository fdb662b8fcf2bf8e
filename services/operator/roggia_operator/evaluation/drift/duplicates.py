"""Does the corpus repeat itself? Documents that have a near-duplicate, by shingles and MinHash.

Resemblance of shingle sets and its estimate by minima: Broder, "On the resemblance and containment of documents", 1997.
Candidates by bands of the signature: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4. Candidates
are compared exactly, so nothing is called a duplicate that is none; with these bands a pair at `ALIKE` is missed three
times in a million.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from roggia_operator.evaluation.drift.trigger import Kind, Trigger
from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.golden.words import words
from roggia_operator.evaluation.statistics.bootstrap import SEED
from roggia_operator.evaluation.statistics.proportion import lower

Shingles = NDArray[np.uint64]

WIDTH = 5
"""Words of a shingle."""
ALIKE = 0.8
"""Jaccard resemblance from which two documents are near-duplicates."""
RISE = 0.10
"""Rise of the rate that is reason to plan: an index that fills with copies answers with copies."""
_BANDS, _ROWS = 24, 4
_PRIME = np.uint64((1 << 31) - 1)
_MOST_PAIRS = 64
"""Members of one bucket that are compared with each other; more are alike for certain, and each has a partner."""


def duplicates(
    reference: Sequence[str], recent: Sequence[str], *, rise: float = RISE, confidence: float = 0.99
) -> Trigger:
    """Compare the rates of two windows of texts. Fires when the recent rate is shown to be more than `rise` above.

    Raises `EvaluationError` for an empty window.
    """
    if not reference or not recent:
        raise EvaluationError("windows: one has no text; take longer ones")
    before, after = near_duplicates(reference), near_duplicates(recent)
    base = len(before) / len(reference)
    value = lower(len(after), len(recent), confidence)
    evidence = {"reference rate": base, "recent rate": len(after) / len(recent), "recent": float(len(recent))}
    threshold = min(1.0, base + rise)
    return Trigger(kind=Kind.DUPLICATES, fired=value > threshold, value=value, threshold=threshold, evidence=evidence)


def near_duplicates(texts: Sequence[str]) -> frozenset[int]:
    """Places of the texts that resemble another one. Texts without a word resemble none."""
    sets = [shingles(text) for text in texts]
    found: set[int] = set()
    for one, other in _candidates(sets):
        if not (one in found and other in found) and resemblance(sets[one], sets[other]) >= ALIKE:
            found |= {one, other}
    return frozenset(found)


def shingles(text: str) -> Shingles:
    """Hashes of a text's runs of `WIDTH` words, sorted and distinct; one of a shorter text, none of an empty one."""
    own = words(text)
    runs = (" ".join(own[at : at + WIDTH]) for at in range(max(1, len(own) - WIDTH + 1)))
    return np.unique(np.fromiter((zlib.crc32(run.encode()) for run in runs if run), dtype=np.uint64))


def resemblance(one: Shingles, other: Shingles) -> float:
    """Jaccard coefficient of two sets of shingles."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both) if both else 0.0


def _candidates(sets: Sequence[Shingles]) -> Iterator[tuple[int, int]]:
    places = [place for place, own in enumerate(sets) if len(own)]
    if not places:
        return
    signatures = np.stack([_signature(sets[place]) for place in places])
    for band in range(_BANDS):
        part = signatures[:, band * _ROWS : (band + 1) * _ROWS]
        for bucket in _buckets(places, part):
            yield from _pairs(bucket)


def _signature(own: Shingles) -> NDArray[np.uint64]:
    return np.asarray(((own[:, None] % _PRIME * _FACTORS + _SHIFTS) % _PRIME).min(axis=0), dtype=np.uint64)


def _buckets(places: Sequence[int], part: NDArray[np.uint64]) -> Iterable[list[int]]:
    found: dict[bytes, list[int]] = {}
    for place, row in zip(places, part, strict=True):
        found.setdefault(row.tobytes(), []).append(place)
    return (bucket for bucket in found.values() if len(bucket) > 1)


def _pairs(bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    yield from combinations(bucket[:_MOST_PAIRS], 2)
    yield from pairwise(bucket[_MOST_PAIRS - 1 :])


_random = np.random.default_rng(SEED)
_FACTORS = _random.integers(1, int(_PRIME), _BANDS * _ROWS, dtype=np.uint64)
_SHIFTS = _random.integers(0, int(_PRIME), _BANDS * _ROWS, dtype=np.uint64)
