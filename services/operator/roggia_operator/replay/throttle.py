"""How much of its pace a backfill keeps while live traffic comes first. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

SLOW_FROM = 0.5
"""Share of the objective from which a backfill slows down."""
EMPTY = 0.2
"""Share of the window down to which it empties before more is sent, once it was reached: stages then take few and
larger batches, and are idle in between, which is when live meets none in hand. What trickles in keeps them all busy."""
PATIENCE_S = 2.0
"""Longest wait for that: live records count as waiting too, and there may always be some."""
HARD = 10
"""Times the window: beyond that not even the minimum is sent, because nobody downstream keeps up."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`objective_s`: live freshness that must hold. `window`: most records that may wait downstream. `least`: records
    per second that a backfill keeps whatever happens.
    """

    objective_s: float = 30.0
    window: int = 200
    least: float = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen last. `age_s`: age of the oldest live event not yet processed, infinite where it cannot be known;
    `stage`: the group that has not processed it. `waiting`: records downstream.
    """

    age_s: float = 0.0
    waiting: int = 0
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Ruling:
    """`share` of the full pace, 1 to 0; `blocked`: not even the minimum. `reason` is empty when nothing holds it."""

    share: float
    reason: str = ""
    blocked: bool = False


def share(age_s: float, objective_s: float) -> float:
    """1 up to half the objective, then falling in a line to 0 at the objective."""
    slow = objective_s * SLOW_FROM
    return min(1.0, max(0.0, (objective_s - age_s) / (objective_s - slow)))


def ruling(reading: Reading, limits: Limits, *, full: bool = False) -> Ruling:
    """What a backfill may do now. `full`: the window was reached, and is to empty first."""
    if reading.waiting >= limits.window * HARD:
        most = limits.window * HARD
        return Ruling(
            0.0, f"{reading.waiting:,} records wait downstream: nothing is sent from {most:,} on", blocked=True
        )
    part = share(reading.age_s, limits.objective_s)
    if part <= 0:
        return Ruling(0.0, f"{_late(reading)}, the objective is {limits.objective_s:g} s")
    if full or reading.waiting >= limits.window:
        return Ruling(0.0, f"{reading.waiting:,} records wait downstream, the window is {limits.window:,}")
    if part < 1:
        return Ruling(part, f"{_late(reading)}: slowed to {part:.0%}")
    return Ruling(1.0)


def _late(reading: Reading) -> str:
    where = f" in {reading.stage}" if reading.stage else ""
    return f"live is {reading.age_s:.0f} s behind{where}"
