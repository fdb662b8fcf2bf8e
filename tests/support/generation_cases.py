"""Builders for tests of index generations: sides of records, evidence, and ports that answer what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from roggia_operator.generations.alarms import Counts
from roggia_operator.generations.case import Case
from roggia_operator.generations.ports import Ports
from roggia_operator.generations.states import baseline_row
from roggia_operator.generations.values import Evidence, GateReport, Ground, Parity, Progress, Remains, Rules
from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7
from roggia_schemas.events import (
    GenerationModel,
    GenerationSide,
    GenerationState,
    GenerationWish,
    IndexGeneration,
)

NOW = 1_700_000_000_000
MODEL = "model@0123"
RULES = Rules()


def wanted(number: int = 2, wish: GenerationWish = GenerationWish.FILL, **facts: Any) -> IndexGeneration:
    """A WANTED by a person, with a reason."""
    made: dict[str, Any] = {
        "event_id": uuid7(),
        "occurred_at": NOW,
        "generation": number,
        "side": GenerationSide.WANTED,
        "model": GenerationModel(uri=f"stub:{number}", fingerprint=MODEL),
        "wish": wish,
        "state": GenerationState.PLANNED,
        "by": "ops@example",
        "why": "a better model",
    }
    return IndexGeneration(**made | facts)


def state(number: int, status: GenerationState, **facts: Any) -> IndexGeneration:
    """A STATE."""
    return wanted(number, side=GenerationSide.STATE, state=status, **facts)


def case(
    asked: IndexGeneration,
    own: IndexGeneration | None,
    *others: IndexGeneration,
    evidence: Evidence | None = None,
    rules: Rules = RULES,
    at_ms: int = NOW,
) -> Case:
    """A case with the baseline's row among the others, unless it is given."""
    rows = [*others, *([own] if own else [])]
    if rules.baseline not in [row.generation for row in rows]:
        rows.append(baseline_row(rules.baseline, 0))
    return Case(asked, own, tuple(rows), evidence or Evidence(), rules, at_ms)


def proof(*numbers: int, at_ms: int = NOW) -> dict[int, Parity]:
    """Indexes that are what the log says."""
    return {number: Parity(at_ms, True, "exact", MODEL) for number in numbers}


def passed(number: int = 2, report_id: str = "r1") -> GateReport:
    """A report that lets a generation through."""
    return GateReport(NOW, report_id, "pass", "not worse", generation=number)


class Told:
    """All ports in one: each answers what its attribute holds, and says in `asked` what it was asked for."""

    def __init__(self) -> None:
        self.trouble = ""
        self.left, self.embed_lag, self.upsert_lag = 0, 0, 0
        self.clean: dict[int, bool] = {}
        self.slow = asyncio.Event()
        self.slow.set()
        self.reports: dict[str, GateReport] = {}
        self.served: dict[int, Counts] = {}
        self.groups: list[str] = []
        self.lower = ""
        self.asked: list[str] = []

    @property
    def ports(self) -> Ports:
        """As the controller takes them."""
        return Ports(self, self, self, self, self, self, self)

    async def prepare(self, row: IndexGeneration) -> Ground:
        """See `Grounds`."""
        self.asked.append(f"ground g{row.generation}")
        return Ground(now_ms(), {0: 100}, 100, trouble=self.trouble)

    async def look(self, row: IndexGeneration, ends: Mapping[int, int]) -> Progress:
        """See `Lag`."""
        assert ends == {0: 100}
        return Progress(now_ms(), self.left, self.embed_lag, self.upsert_lag)

    async def close(self) -> None:
        """See `Lag`."""

    async def compare(self, row: IndexGeneration, selection: Sequence[str]) -> Parity:
        """See `Coverage`. Waits while `slow` is not set."""
        began_ms = now_ms()
        self.asked.append(f"parity g{row.generation}")
        await self.slow.wait()
        clean = self.clean.get(row.generation, True)
        return Parity(began_ms, clean, "exact" if clean else "missing 1", MODEL)

    async def report(self, report_id: str) -> GateReport:
        """See `Gate`."""
        return self.reports.get(report_id) or GateReport(now_ms(), report_id, reason="is not there")

    async def remains(self, row: IndexGeneration) -> Remains:
        """See `Leftovers`."""
        self.asked.append(f"left g{row.generation}")
        return Remains(now_ms(), tuple(self.groups), typed=row.override)

    async def free(self, row: IndexGeneration, remains: Remains) -> None:
        """See `Leftovers`."""
        self.asked.append(f"free g{row.generation}: {', '.join(remains.free)}")
        self.groups = [group for group in self.groups if group not in remains.groups]

    async def lost(self, number: int, instead: Callable[[str, str], int | None]) -> str:
        """See `Probe`."""
        self.asked.append(f"probe g{number} against g{instead('acme', 'docs')}")
        return self.lower

    async def counts(self) -> Mapping[int, Counts]:
        """See `Served`."""
        return self.served
