"""Moves generations: follows what is wanted, decides, writes how each stands. One instance leads."""

from __future__ import annotations

import asyncio
import time

import structlog
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.consumer.waiting import either
from roggia_runtime.leadership import FencedWriter
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import GenerationSide, IndexGeneration

from roggia_operator.generations import states
from roggia_operator.generations.alarms import Limits
from roggia_operator.generations.case import Case
from roggia_operator.generations.gathering import Gatherer
from roggia_operator.generations.moves import decide
from roggia_operator.generations.ports import Ports
from roggia_operator.generations.table import PARTITION, GenerationTable, Pair, read, side
from roggia_operator.generations.values import Decision, Need, Rules
from roggia_operator.metrics import GENERATIONS

ROLE = "roggia.operator.generations"
_EVERY_S = 1.0
"""Progress and words are written at most so often; moves and what others act upon at once."""
_MOST_MOVES = 8
"""Moves of one generation in a row before the others have their turn."""
log = structlog.get_logger()


class Controller:
    """Moves every generation. `lead` is the work of a `Leader` on `index.generation`.

    While it leads nobody else writes a STATE, so what it has written is what holds: the log's STATEs are read once, at
    the beginning, and only WANTEDs are followed. It dies anywhere and the next one goes on from the log.
    """

    def __init__(
        self, settings: KafkaSettings, codec: EventCodec, ports: Ports, rules: Rules, limits: Limits | None = None
    ) -> None:
        self._settings, self._codec, self._ports, self._rules = settings, codec, ports, rules
        self._limits = limits or Limits()
        self._table = GenerationTable()
        self._changed = asyncio.Event()
        self._gatherer = self._new_gatherer()
        self._written: dict[int, float] = {}

    async def lead(self, writer: FencedWriter) -> None:
        """Move generations until cancelled. Raises what makes this instance unfit to lead."""
        self._changed, self._written = asyncio.Event(), {}
        self._gatherer = self._new_gatherer()
        try:
            self._table, offset = await read(self._settings, self._codec)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(offset))
                tasks.create_task(self._decide(writer))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several
        finally:
            await self._gatherer.close()
            await self._ports.lag.close()
            GENERATIONS.clear()

    async def _follow(self, offset: int) -> None:
        async for record in TopicAdmin(self._settings).follow({PARTITION: offset}):
            event = await side(record, self._codec) if record.value is not None else None
            if event is not None and event.side is GenerationSide.WANTED:
                self._table.put(event)
                self._changed.set()

    async def _decide(self, writer: FencedWriter) -> None:
        while True:
            self._changed.clear()
            await self._baseline(writer)
            for pair in self._table:
                await self._advance(pair.number, writer)
            self._tell()
            await either(self._changed, timeout_s=self._rules.tick_ms / 1000)

    async def _baseline(self, writer: FencedWriter) -> None:
        """The baseline gets its record with the first wish, before anything else can serve."""
        pair = self._table.get(self._rules.baseline)
        wished = any(one.wanted is not None for one in self._table)
        if wished and (pair is None or pair.state is None):
            await self._write(states.baseline_row(self._rules.baseline, now_ms()), writer)

    async def _advance(self, number: int, writer: FencedWriter) -> None:
        for _ in range(_MOST_MOVES):
            pair = self._table.get(number)
            if pair is None:
                return
            case = self._case(pair)
            decision = decide(case)
            self._gatherer.gather(case, decision.needs)
            await self._settle(case, decision, writer)
            if decision.frees is not None:
                await self._free(case, decision, writer)
            if decision.move is None:
                return
            self._gatherer.forget(number)

    async def _settle(self, case: Case, decision: Decision, writer: FencedWriter) -> None:
        """Write the state that a decision makes, where it says something new."""
        trouble = self._gatherer.troubles(case.number, decision.needs)
        now = states.after(case, decision, "; ".join(filter(None, (decision.message, trouble))))
        if not states.differs(case.state, now):
            return
        waited = time.monotonic() - self._written.get(case.number, -_EVERY_S)
        if decision.move is None and waited < _EVERY_S and not states.urgent(case.state, now):
            return
        await self._write(now, writer)
        if case.state is not None and case.state.canary != now.canary:
            self._gatherer.forget(case.number)
        if decision.move is not None:
            move = now.history[-1]
            log.info("generation_moved", generation=case.number, before=move.before, after=move.after, by=move.by)

    async def _free(self, case: Case, decision: Decision, writer: FencedWriter) -> None:
        """Delete what a retired generation left. The write before it proves that nobody else leads."""
        ask = (Need.FREE, case.number)
        if self._gatherer.due(case.number, ask):
            await self._write(states.after(case, decision, decision.message), writer)
            self._gatherer.gather(case, [ask])

    async def _write(self, state: IndexGeneration, writer: FencedWriter) -> None:
        await writer.write([self._codec.output(topics.INDEX_GENERATION, state)])
        self._written[state.generation] = time.monotonic()
        self._table.put(state)

    def _case(self, pair: Pair) -> Case:
        evidence = self._gatherer.evidence(pair.number)
        return Case(pair.wanted or pair.side, pair.state, self._table.rows, evidence, self._rules, now_ms())

    def _new_gatherer(self) -> Gatherer:
        return Gatherer(self._ports, self._limits, self._changed, again_s=self._rules.again_ms / 1000)

    def _tell(self) -> None:
        """Count the generations for `roggia_generations`."""
        GENERATIONS.clear()
        for row in self._table.rows:
            GENERATIONS.labels(str(row.generation), row.state.value).set(1)
