"""The gate of models behind guard: champion only after enough canary requests within the objectives. Pure.

Guard counts, per version, since the version became candidate; nothing here counts or remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roggia_operator.models.values import Verdict


@dataclass(frozen=True, slots=True)
class CanaryCounts:
    """What guard saw of one version. `slow`: took longer than the latency objective; `failed`: no answer, or a broken
    one; `refused`: an answer that a policy of guard did not let through. A request is in at most one of the three."""

    requests: int = 0
    failed: int = 0
    slow: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        """Refuse counts that cannot be: somebody counted wrongly, and a gate must not pass on that."""
        parts = (self.failed, self.slow, self.refused)
        if min(self.requests, *parts) < 0 or sum(parts) > self.requests:
            raise ValueError(f"canary counts {self}: failed + slow + refused must lie in 0..requests")


@dataclass(frozen=True, slots=True)
class Objectives:
    """The shares of requests that may fail, be slow, be refused, and how many requests must have been seen."""

    least_requests: int = 200
    failed: float = 0.01
    slow: float = 0.05
    refused: float = 0.02

    def __post_init__(self) -> None:
        """Refuse what is no objective."""
        if self.least_requests < 1:
            raise ValueError(f"least_requests: {self.least_requests} must be 1 or more")
        for name in ("failed", "slow", "refused"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not a share; use 0..1")


@dataclass(frozen=True, slots=True)
class CanaryVerdict:
    """The verdict, and in words what speaks against passing."""

    verdict: Verdict
    missing: tuple[str, ...] = ()


def judge(counts: CanaryCounts, objectives: Objectives) -> CanaryVerdict:
    """Judge a version by its canary requests.

    Fail: an objective is broken even if every request still due goes well, so more of them cannot help; known before
    all were seen. Inconclusive: too few were seen. Pass: enough were seen, and every share is within its objective.
    """
    broken = _broken(counts, objectives, max(counts.requests, objectives.least_requests))
    if broken:
        return CanaryVerdict(Verdict.FAIL, tuple(broken))
    if counts.requests < objectives.least_requests:
        due = objectives.least_requests - counts.requests
        seen = f"{counts.requests} of {objectives.least_requests} canary requests seen: {due} more are needed"
        return CanaryVerdict(Verdict.INCONCLUSIVE, (seen,))
    return CanaryVerdict(Verdict.PASS)


def _broken(counts: CanaryCounts, objectives: Objectives, among: int) -> Sequence[str]:
    return [
        f"{seen} of {counts.requests} canary requests {name}: the objective is {share:.2%} of {among}"
        for name, seen, share in (
            ("failed", counts.failed, objectives.failed),
            ("were slow", counts.slow, objectives.slow),
            ("were refused", counts.refused, objectives.refused),
        )
        if seen > share * among
    ]
