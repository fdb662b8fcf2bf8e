"""What a seed fixes: which process dies when. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.storm.plan import Step

KINDS = ("ingest", "embed", "upsert", "query", "operator")
SWITCHES = ("cutover", "rollback", "second cutover", "retirement")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is. Times in seconds.

    `documents` are published first, then `rate` changes per second go on to the end. `rounds`: how often each service
    is killed while the generation fills. `fill_rate` bounds its filling in chunks per second, so that a small one
    lasts; 0: no bound. `answers` are searched for before the migration and after each switch.
    """

    documents: int
    rate: float
    rounds: int
    answers: int
    fill_rate: float = 0.0
    batch_s: float = 0.1
    session_s: float = 6.0
    again_s: float = 5.0
    patience_s: float = 900.0


LONG = Size(documents=20_000, rate=20, rounds=2, answers=400)
SHORT = Size(documents=300, rate=8, rounds=1, answers=30, fill_rate=60, session_s=3.0, again_s=0.5, patience_s=400)


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that begins when this share of the corpus has been embedded anew."""

    share: float
    step: Step


@dataclass(frozen=True, slots=True)
class Plan:
    """Faults while the generation fills, in order, and one right after each switch was asked for."""

    seed: int
    strikes: tuple[Strike, ...]
    switches: dict[str, Step]

    def __str__(self) -> str:
        filling = " · ".join(f"{strike.step} at {strike.share:.0%}" for strike in self.strikes)
        return f"seed {self.seed}: {filling} · " + " · ".join(f"{what}: {step}" for what, step in self.switches.items())


def plan(seed: int, size: Size) -> Plan:
    """The faults of a seed. The same seed and size give the same plan, wherever and whenever."""
    rng = random.Random(f"{seed}/{size}")
    steps = [step for _ in range(size.rounds) for step in _round(rng)]
    rng.shuffle(steps)
    shares = sorted(rng.uniform(0.02, 0.95) for _ in steps)
    strikes = tuple(Strike(share, step) for share, step in zip(shares, steps, strict=True))
    return Plan(seed, strikes, {what: _kill(rng.choice(KINDS)) for what in SWITCHES})


def _round(rng: random.Random) -> Iterator[Step]:
    """Every service once, and the broker."""
    yield from map(_kill, KINDS)
    yield Step(0, rng.choice(("broker kill -9", "broker SIGTERM")), "", round(rng.uniform(0.1, 1.0), 1))


def _kill(kind: str) -> Step:
    return Step(0, "kill -9", kind)
