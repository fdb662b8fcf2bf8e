"""Gathers evidence beside the decisions, which wait for none of it: a rollback must not wait for a comparison."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import structlog
from msgspec import structs
from roggia_runtime.clock import now_ms
from roggia_runtime.errors import RoggiaError
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import GenerationState, IndexGeneration

from roggia_operator.generations import alarms, bases
from roggia_operator.generations.alarms import Counts, Limits
from roggia_operator.generations.case import Case
from roggia_operator.generations.moves import END
from roggia_operator.generations.pace import Pace
from roggia_operator.generations.ports import Ports
from roggia_operator.generations.values import Alarm, Ask, Evidence, Need

log = structlog.get_logger()


@dataclass(slots=True)
class _Known:
    evidence: Evidence = field(default_factory=Evidence)
    pace: Pace = field(default_factory=Pace)
    began: Counts | None = None
    """Queries that had been answered when the watch began."""
    tasks: dict[Ask, asyncio.Task[None]] = field(default_factory=dict)
    troubles: dict[Ask, str] = field(default_factory=dict)
    rest_until: dict[Ask, float] = field(default_factory=dict)


class Gatherer:
    """Keeps what is known of every generation. `changed` is set when there is more; use from one event loop."""

    def __init__(self, ports: Ports, limits: Limits, changed: asyncio.Event, *, again_s: float) -> None:
        self._ports, self._limits, self._changed, self._again_s = ports, limits, changed, again_s
        self._known: dict[int, _Known] = {}

    def evidence(self, number: int) -> Evidence:
        """What is known of a generation now."""
        return self._of(number).evidence

    def gather(self, case: Case, needs: Iterable[Ask]) -> None:
        """Begin to gather what is not being gathered, and did not fail a moment ago."""
        known = self._of(case.number)
        for ask in needs:
            if self.due(case.number, ask):
                known.tasks[ask] = asyncio.create_task(self._run(ask, case, known))

    def due(self, number: int, ask: Ask) -> bool:
        """Whether `gather` would begin this now for a generation."""
        known = self._of(number)
        return ask not in known.tasks and known.rest_until.get(ask, 0.0) <= time.monotonic()

    def troubles(self, number: int, needs: Iterable[Ask]) -> str:
        """Why evidence could not be had, in one line."""
        known = self._of(number)
        return "; ".join(dict.fromkeys(known.troubles[ask] for ask in sorted(needs) if ask in known.troubles))

    def forget(self, number: int) -> None:
        """A generation has moved: what was known of it is about another state. The gate's report stays."""
        known = self._known.pop(number, None)
        if known is not None:
            _cancel(known)
            self._of(number).evidence = Evidence(report=known.evidence.report)

    async def close(self) -> None:
        """End everything."""
        tasks = [task for known in self._known.values() for task in known.tasks.values()]
        for known in self._known.values():
            _cancel(known)
        if tasks:
            await asyncio.wait(tasks)
        self._known.clear()

    def _of(self, number: int) -> _Known:
        return self._known.setdefault(number, _Known())

    async def _run(self, ask: Ask, case: Case, known: _Known) -> None:
        try:
            found = await self._gathered(ask, case, known)
            known.evidence = replace(known.evidence, **found)  # type: ignore[arg-type]  # each by its field's name
            known.troubles.pop(ask, None)
        except (RoggiaError, SchemasError, OSError, TimeoutError) as error:
            self._note(known, ask, str(error) or type(error).__name__)
        except Exception as error:  # a bug in an adapter must not end the moves of other generations
            log.exception("evidence_failed", generation=case.number, need=ask[0].value)
            self._note(known, ask, f"internal error: {error!r}")
        finally:
            del known.tasks[ask]
            self._changed.set()

    def _note(self, known: _Known, ask: Ask, trouble: str) -> None:
        if known.troubles.get(ask) != trouble:
            log.warning("evidence_waits", need=ask[0].value, generation=ask[1], error=trouble)
        known.troubles[ask] = trouble
        known.rest_until[ask] = time.monotonic() + self._again_s

    async def _gathered(self, ask: Ask, case: Case, known: _Known) -> dict[str, object]:
        need, number = ask
        if need is Need.GROUND:
            return {"ground": await self._ports.grounds.prepare(case.row)}
        if need is Need.PROGRESS:
            return {"progress": known.pace(await self._ports.lag.look(case.row, _ends(case.row)))}
        if need is Need.PARITY:
            row = next((row for row in case.rows if row.generation == number), case.row)
            parity = await self._ports.coverage.compare(row, case.row.selection)
            return {"parity": {**known.evidence.parity, number: parity}}
        if need is Need.REPORT:
            return {"report": await self._ports.gate.report(case.wanted.report)}
        if need is Need.PROBE:
            return {"probe": Alarm(now_ms(), await self._ports.probe.lost(number, case.instead))}
        if need is Need.REMAINS:
            return {"remains": await self._ports.leftovers.remains(_typed(case))}
        if need is Need.FREE:
            if case.evidence.remains is not None:
                await self._ports.leftovers.free(_typed(case), case.evidence.remains)
            return {"remains": None}
        return {"alarm": await self._alarm(case, known)}

    async def _alarm(self, case: Case, known: _Known) -> Alarm:
        counts = await self._ports.served.counts()
        new = counts.get(case.number, Counts())
        known.began = known.began or new
        old = alarms.total(counts[number] for number in _before(case) if number in counts)
        return Alarm(now_ms(), alarms.reason(new.since(known.began), old, self._limits))


def _cancel(known: _Known) -> None:
    for task in known.tasks.values():
        task.cancel()


def _ends(row: IndexGeneration) -> dict[int, int]:
    return {int(name.removeprefix(END)): end for name, end in row.counts.items() if name.startswith(END)}


def _typed(case: Case) -> IndexGeneration:
    """The state, with what was typed since it was written."""
    return structs.replace(case.row, override=case.wanted.override)


def _before(case: Case) -> list[int]:
    """The generations that would answer in its place."""
    row = structs.replace(case.row, state=GenerationState.ROLLED_BACK)
    return bases.beneath(row, case.rows, case.rules.baseline)
