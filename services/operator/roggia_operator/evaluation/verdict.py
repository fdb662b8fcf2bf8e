"""What the gate is told and what it says: settings, verdicts, evidence. Part of every report's JSON."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from roggia_operator.evaluation.statistics import bootstrap

GATED = ("mrr@10", "ndcg@10")
"""Measures that decide."""


class Verdict(StrEnum):
    """What the gate says."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class GateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`margin` is the loss that is put up with. Below `least_queries` nothing is decided: fewer than 75 topics are of
    no real value (Spärck Jones and van Rijsbergen 1975). Slices smaller than `least_slice` are not tested."""

    margin: float = 0.03
    slice_margin: float = 0.05
    alpha: float = 0.05
    resamples: int = bootstrap.RESAMPLES
    seed: int = bootstrap.SEED
    least_queries: int = 75
    least_slice: int = 30
    required: tuple[str, ...] = ()


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One measure on one slice. `low` and `high` are one-sided bounds of `difference`, new - old.

    `harm` is the p value of being worse than the margin, for slices after Holm. `needed_if_equal` and `needed_as_seen`:
    queries for a decision in four cases of five, if the two are equal, and if the difference is what was seen.
    """

    slice: str
    measure: str
    verdict: Verdict
    queries: int
    old: float
    new: float
    difference: float
    low: float
    high: float
    sd: float
    harm: float
    needed_if_equal: int | None
    needed_as_seen: int | None


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict, in a sentence why, and the evidence: the whole set first, then slices by name."""

    verdict: Verdict
    reason: str
    compared: tuple[Compared, ...]
