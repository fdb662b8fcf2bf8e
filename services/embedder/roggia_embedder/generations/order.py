"""In which order documents get their head start. Pure.

    priority = (traffic + busiest x waited / patience) x (1 + bonus x ahead) / cost

- *traffic*: the document's decayed score; *cost*: its bytes, for the encoder's time. Value over cost is Smith's rule
  (Various optimizers for single-stage production, NRLQ 1956): of all orders it makes the weighted sum of finishing
  times least, and for a share of the work it covers the most traffic (the greedy order of the fractional knapsack).
- *ahead*, 0 to 1: how much of what the log pass has still to read lies before the document. That is its staleness in
  the new generation: what is read next gains nothing by a head start, what is read last gains the whole pass.
- *waited*: time since the document came into the lane. It grows linearly, as in a delay-dependent discipline
  (Kleinrock, NRLQ 1964): after `patience` it counts as much as the busiest document, so that none that is asked for at
  all waits for ever while others stay popular.

Documents without a score are not in the lane: the log pass brings them, in the order of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

LEAST_COST = 2_048
"""Bytes that any document counts: reading one costs a fetch, however short it is."""


@dataclass(frozen=True, slots=True)
class OrderRules:
    """`patience_s`: seconds after which a waiting document counts as much as the busiest. `bonus`: what a whole pass
    `ahead` adds."""

    patience_s: float = 21_600.0
    bonus: float = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One document that waits. `name` is its key."""

    name: str
    traffic: float
    cost: int
    ahead: float
    waited_s: float


RULES = OrderRules()


def ranked(waiting: Sequence[Candidate], rules: OrderRules = RULES) -> list[Candidate]:
    """Most urgent first; ties by name, so that the same candidates always have the same order."""
    busiest = max((one.traffic for one in waiting), default=0.0)
    return sorted(waiting, key=lambda one: (-priority(one, busiest, rules), one.name))


def priority(one: Candidate, busiest: float, rules: OrderRules = RULES) -> float:
    """See the module. Grows with traffic, wait and ahead; falls with cost."""
    worth = one.traffic + busiest * max(0.0, one.waited_s) / rules.patience_s
    return worth * (1.0 + rules.bonus * one.ahead) / max(one.cost, LEAST_COST)


def ahead(offset: int, position: int, end: int) -> float:
    """Share of a partition's unread log that lies before an offset; 0 for what was read, 1 at the end."""
    if offset < position or end <= position:
        return 0.0
    return min(1.0, (offset - position) / (end - position))


def batches(order: Iterable[Candidate], budget: int) -> Iterator[list[Candidate]]:
    """Consecutive candidates whose costs stay within `budget` bytes; one that exceeds it comes alone."""
    batch: list[Candidate] = []
    spent = 0
    for one in order:
        if batch and spent + one.cost > budget:
            yield batch
            batch, spent = [], 0
        batch.append(one)
        spent += one.cost
    if batch:
        yield batch
