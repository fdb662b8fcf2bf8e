"""Whether a generation answers queries worse than the one before it. Pure: counts in, a reason or nothing out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ERRORS = 3.0
"""Standard errors by which a share must be worse: with a look every second, the usual two would cry wolf."""
_P95 = 0.95


@dataclass(frozen=True, slots=True)
class Counts:
    """Queries that a generation answered. `seconds`: how many took at most so long, by bound, as in a histogram."""

    requests: int = 0
    errors: int = 0
    empty: int = 0
    seconds: Mapping[float, int] = field(default_factory=dict)

    def since(self, earlier: Counts) -> Counts:
        """What came after `earlier`. A counter that is lower than before began anew: all of it came after."""
        if self.requests < earlier.requests:
            return self
        timed = {bound: count - earlier.seconds.get(bound, 0) for bound, count in self.seconds.items()}
        return Counts(self.requests - earlier.requests, self.errors - earlier.errors, self.empty - earlier.empty, timed)

    @property
    def p95_s(self) -> float:
        """Upper bound of the time within which 95 of 100 were answered; 0 when none was timed."""
        most = max(self.seconds.values(), default=0)
        return (
            min((bound for bound, count in self.seconds.items() if count >= _P95 * most), default=0.0) if most else 0.0
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much worse is too much. Nothing is judged below `least` queries.

    `errors` and `empty`: shares above those of the generation before. `slow_s`: the 95th percentile that is always
    good enough; above it, `slower` times that of the generation before is too much.
    """

    least: int = 50
    errors: float = 0.02
    empty: float = 0.10
    slow_s: float = 1.0
    slower: float = 1.5


def total(counts: Iterable[Counts]) -> Counts:
    """All of them as one."""
    found = list(counts)
    bounds = {bound for one in found for bound in one.seconds}
    return Counts(
        sum(one.requests for one in found),
        sum(one.errors for one in found),
        sum(one.empty for one in found),
        {bound: sum(one.seconds.get(bound, 0) for one in found) for bound in sorted(bounds)},
    )


def reason(new: Counts, old: Counts, limits: Limits) -> str:
    """Why `new` must not go on answering; empty when it may. `old` without a query: judged on its own."""
    if new.requests < limits.least:
        return ""
    for name, bad, before, margin in (
        ("errors", new.errors, old.errors, limits.errors),
        ("queries without a result", new.empty, old.empty, limits.empty),
    ):
        if _excess(bad, new.requests, before, old.requests) > margin:
            return f"{name}: {bad} of {new.requests}, before {before} of {old.requests}"
    bound = max(limits.slow_s, limits.slower * old.p95_s)
    return f"latency: 95 % within {new.p95_s:g} s, before {old.p95_s:g} s" if new.p95_s > bound else ""


def _excess(bad: int, queries: int, before: int, earlier: int) -> float:
    """Lower bound of the difference of two shares (Agresti and Caffo 2000: one of each kind added to both)."""
    share, spread = _share(bad, queries)
    reference, reference_spread = _share(before, earlier) if earlier else (0.0, 0.0)
    return share - reference - ERRORS * math.sqrt(spread + reference_spread)


def _share(bad: int, queries: int) -> tuple[float, float]:
    share = (bad + 1) / (queries + 2)
    return share, share * (1 - share) / (queries + 2)
