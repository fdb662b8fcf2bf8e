"""What a run comes to: how many records, how much money, and what is left as it is. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from roggia_auditor.correcting.correction import Left, Outcome
from roggia_auditor.ledger.model import Row, Stream

_PLACES = 20
_ODD = frozenset({Left.UNEXPLAINED, Left.UNREADABLE})


class Total(NamedTuple):
    """Corrections of a tenant from one month into another: how many, and what they add, pico-USD."""

    records: int = 0
    pico_usd: int = 0


@dataclass(slots=True)
class Plan:
    """What a run comes to."""

    looked: int = 0
    chosen: int = 0
    corrected: int = 0
    left: Counter[Left] = field(default_factory=Counter)
    totals: dict[tuple[str, str, str], Total] = field(default_factory=dict)
    """By tenant, month of the inference, and month that is booked."""
    unexplained: list[str] = field(default_factory=list)
    """The first places that somebody must look at: the price log does not give what was booked, or no value reads."""

    @property
    def pico_usd(self) -> int:
        """What all corrections add."""
        return sum(total.pico_usd for total in self.totals.values())

    def take(self, stream: Stream, row: Row, outcome: Outcome) -> None:
        """Count one chosen record."""
        self.chosen += 1
        if isinstance(outcome, Left):
            self.left[outcome] += 1
            if outcome in _ODD and len(self.unexplained) < _PLACES:
                self.unexplained.append(f"{stream.topic}/{stream.partition}@{row.leaf.offset} ({row.leaf.event_id})")
            return
        self.corrected += 1
        key = (row.leaf.tenant, row.leaf.period, outcome.booked)
        held = self.totals.get(key, Total())
        self.totals[key] = Total(held.records + 1, held.pico_usd + outcome.delta_pico)
