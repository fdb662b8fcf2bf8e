"""What a seed fixes: the workload and the schedule of faults. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

KINDS = ("ingest", "embed", "index")
SCALED = ("ingest", "embed")
"""Kinds that may have several processes; the embedded index admits one."""

REPLAYS = (
    "doc.changed same",
    "doc.changed renew",
    "doc.changed live",
    "doc.chunked same",
    "doc.chunked renew",
    "doc.embedded same",
    "doc.embedded live",
)
"""Topic and way: through the lane in one of its modes, or byte for byte into the live topic."""


@dataclass(frozen=True, slots=True)
class Step:
    """One fault: begun once `after` events are published and work is under way, ended `hold_s` seconds later.

    Where there is nothing to end (a kill, a replay) `hold_s` is 0 and the step is over at once.
    """

    after: int
    fault: str
    target: str = ""
    hold_s: float = 0.0

    def __str__(self) -> str:
        held = f" for {self.hold_s:g} s" if self.hold_s else ""
        return f"{self.fault} {self.target}".strip() + held


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a seed decides."""

    seed: int
    documents: int
    events: int
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        lines = [f"  after {step.after:4d} events: {step}" for step in self.steps]
        return f"seed {self.seed}: {self.events} events of {self.documents} documents\n" + "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a run is: numbers of events and faults, and times in seconds."""

    events: int = 240
    documents: int = 40
    faults: int = 10
    session_s: float = 6.0
    oversleep_s: float = 20.0
    """How long a frozen process sleeps beyond its session."""
    longest_s: float = 12.0
    """The longest that a lock, a full disk, a paused broker or a failing store lasts."""


LONG = Scale()
SHORT = Scale(events=160, documents=30, faults=8, session_s=3.0, oversleep_s=2.0, longest_s=3.0)


def plan(seed: int, scale: Scale = LONG) -> Plan:
    """The schedule of a seed. The same seed and scale give the same plan, wherever and whenever."""
    rng = random.Random(f"{seed}/{scale}")
    drawn = [*_always(rng, scale), *_more(rng, scale)]
    rng.shuffle(drawn)
    steps = _ordered(rng, drawn)
    places = sorted(rng.sample(range(scale.events // 10, scale.events), len(steps)))
    placed = tuple(replace(step, after=after) for after, step in zip(places, steps, strict=True))
    return Plan(seed, scale.documents, scale.events, placed)


def _always(rng: random.Random, scale: Scale) -> Iterator[Step]:
    """What no run goes without: a zombie, a kill, the broker in trouble, more processes and fewer, a replay."""
    yield Step(0, "freeze", rng.choice(SCALED), scale.session_s + scale.oversleep_s)
    yield Step(0, "kill -9", rng.choice(KINDS))
    yield _broker(rng, scale)
    kind = rng.choice(SCALED)
    yield Step(0, "scale out", kind)
    yield Step(0, "scale in", kind)
    yield Step(0, "replay", rng.choice(REPLAYS))


def _more(rng: random.Random, scale: Scale) -> Iterator[Step]:
    """The rest of the faults, each kind of fault as likely as the others."""
    makers = (
        lambda: Step(0, "freeze", "index", scale.session_s + scale.oversleep_s),
        lambda: Step(0, "kill -9", rng.choice(KINDS)),
        lambda: Step(0, "SIGTERM", rng.choice(KINDS)),
        lambda: _broker(rng, scale),
        lambda: Step(0, "lock", rng.choice(("catalogue", "cache")), _held(rng, scale)),
        lambda: Step(0, "store", rng.choice(("down", "hangs", "flaky")), _held(rng, scale)),
        lambda: Step(0, "disk full", "", _held(rng, scale)),
        lambda: Step(0, "registry down", "", _held(rng, scale)),
    )
    for maker in rng.sample(makers, max(0, scale.faults - 6)):
        yield maker()


def _broker(rng: random.Random, scale: Scale) -> Step:
    how = rng.choice(("broker kill -9", "broker SIGTERM", "broker freeze"))
    return Step(0, how, "", _held(rng, scale) if how == "broker freeze" else round(rng.uniform(0.1, 2.0), 1))


def _held(rng: random.Random, scale: Scale) -> float:
    return round(rng.uniform(scale.longest_s / 4, scale.longest_s), 1)


def _ordered(rng: random.Random, steps: list[Step]) -> list[Step]:
    """The order drawn, but that frozen processes sleep from early on, and that scaling in comes after scaling out."""
    late = [step for step in steps if step.fault != "freeze"]
    out, into = (next(i for i, step in enumerate(late) if step.fault == fault) for fault in ("scale out", "scale in"))
    if into < out:
        late[out], late[into] = late[into], late[out]
    for sleeper in [step for step in steps if step.fault == "freeze"]:
        late.insert(rng.randrange(3), sleeper)
    return late
