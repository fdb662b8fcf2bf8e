"""What operators do with generations: plan one, change its wish, pause or rate, look. For the command line, the console
and the reconciler of models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Self

from msgspec import structs
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import UnavailableError
from roggia_runtime.ids import uuid7
from roggia_runtime.producer import Producer
from roggia_runtime.ranges import RangeReader
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import (
    GenerationModel,
    GenerationSide,
    GenerationState,
    GenerationWish,
    IndexGeneration,
)

from roggia_operator.errors import GenerationError, SelectionError
from roggia_operator.generations import marks
from roggia_operator.generations.table import GenerationTable, Pair, catch_up, read

_SEND_S = 15.0
ENDED = frozenset({GenerationState.RETIRED})


@dataclass(frozen=True, slots=True)
class Plan:
    """A generation that somebody asks for: `by` whom, and `why`. `rate` bounds filling, in chunks per second.
    `store` is a name in the embedder's settings; empty: the store that they name first.
    """

    model: GenerationModel
    selection: tuple[str, ...] = ()
    chunker_generation: int = 1
    rate: float = 0.0
    paused: bool = False
    by: str = ""
    why: str = ""
    store: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a wish, why, and on what a cutover rests: a gate's report, or the reason to do without. `override`
    of a wish to retire: topics that may be deleted with all that they hold, comma-separated."""

    by: str
    why: str = ""
    report: str = ""
    override: str = ""


class GenerationClient:
    """Use it as a context manager. Raises `UnavailableError` when no broker answers, or one without the topic.

    `baseline` is the generation that the embedder's settings name: it has no record before the first plan.
    """

    def __init__(self, kafka: KafkaSettings, codec: EventCodec, baseline: int = 1) -> None:
        self._kafka, self._codec, self.baseline = kafka, codec, baseline
        self._producer = Producer(kafka, "roggia-generations")
        self._started = False

    async def __aenter__(self) -> Self:
        await self._codec.start()
        if topics.INDEX_GENERATION not in await TopicAdmin(self._kafka).topics():
            raise UnavailableError(f"topic {topics.INDEX_GENERATION} does not exist: create it (roggia topics apply)")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Let go of Kafka."""
        await self._producer.stop()

    async def table(self) -> GenerationTable:
        """Every generation that has a record."""
        return (await read(self._kafka, self._codec))[0]

    async def get(self, number: int) -> Pair:
        """One generation. Raises `SelectionError` when there is none."""
        return _of(await self.table(), number)

    async def follow(self, number: int, look_s: float) -> AsyncGenerator[tuple[Pair, GenerationTable]]:
        """One generation and all others as they stand now, and every `look_s` seconds again. Raises as `get` does.

        Never ends by itself: close it (`contextlib.aclosing`).
        """
        table, offset = GenerationTable(), 0
        async with RangeReader(self._kafka) as reader:
            while True:
                offset = await catch_up(table, reader, self._codec, offset)
                yield _of(table, number), table
                await asyncio.sleep(look_s)

    async def plan(self, plan: Plan) -> int:
        """Ask for a generation; its number. The controller fills it when there is room for it."""
        number = next_number(await self.table(), self.baseline)
        await self.send(planned(plan, number))
        return number

    async def wished(self, number: int, wish: GenerationWish, asked: Asked) -> IndexGeneration:
        """The WANTED of a wish; `send` asks for it. Raises `SelectionError` for an unknown generation,
        `GenerationError` for a retired one, of which nothing but that can be wished: what is left of it may go.

        A person's wish that was carried out and undone before is told apart by its reason: it says that it is asked
        again. A machine's is not: what was undone is not brought back by whoever looks again and again.
        """
        pair = await self._open(number, retired=wish is GenerationWish.RETIRE)
        told = structs.replace(_wanted(pair), wish=wish, **_asked(asked))
        person = not marks.machine(asked.by)
        again = person and wish is GenerationWish.SERVE and pair.state and marks.answered(pair.state, told)
        return _again(told) if again else told

    async def changed(self, number: int, *, paused: bool | None = None, rate: float | None = None) -> IndexGeneration:
        """The WANTED that pauses or goes on, or bounds filling (0: no bound); the wish stays. Raises as `wished`."""
        wanted = _wanted(await self._open(number))
        return structs.replace(
            wanted,
            paused=wanted.paused if paused is None else paused,
            rate=wanted.rate if rate is None else rate,
        )

    async def canaried(self, number: int, percent: float, asked: Asked) -> IndexGeneration:
        """The WANTED that lets a generation in SHADOW answer a share of queries; 0 ends it. Raises as `wished`."""
        pair = await self._open(number)
        told = structs.replace(_wanted(pair), canary=percent, **_asked(asked))
        again = percent > 0 and pair.state is not None and marks.stopped(pair.state, told)
        return _again(told) if again else told

    async def wish(self, number: int, wish: GenerationWish, asked: Asked) -> IndexGeneration:
        """Ask for a wish. Raises as `wished`."""
        return await self.send(await self.wished(number, wish, asked))

    async def _open(self, number: int, *, retired: bool = False) -> Pair:
        table = await self.table()
        if number == self.baseline and table.get(number) is None:
            raise GenerationError(f"GENERATION: g{number} is the baseline and the only one; plan another first")
        pair = _of(table, number)
        if pair.status in ENDED and not retired:
            raise GenerationError(f"GENERATION: g{number} is retired; plan another generation")
        return pair

    async def send(self, wanted: IndexGeneration) -> IndexGeneration:
        """Write a WANTED; as it was written. Raises `UnavailableError` when Kafka takes none."""
        event = structs.replace(wanted, event_id=uuid7(), occurred_at=now_ms())
        try:
            async with asyncio.timeout(_SEND_S):
                if not self._started:
                    await self._producer.start()
                    self._started = True
                await self._producer.send(self._codec.output(topics.INDEX_GENERATION, event))
        except TimeoutError:
            raise UnavailableError(f"Kafka at {self._kafka.bootstrap} took no record within {_SEND_S:g} s") from None
        return event


def next_number(table: GenerationTable, baseline: int) -> int:
    """The number of the next generation: none is given twice."""
    return max([baseline, *(pair.number for pair in table)]) + 1


def planned(plan: Plan, number: int) -> IndexGeneration:
    """The WANTED of a plan."""
    return IndexGeneration(
        event_id=uuid7(),
        occurred_at=now_ms(),
        generation=number,
        side=GenerationSide.WANTED,
        model=plan.model,
        chunker_generation=plan.chunker_generation,
        selection=plan.selection,
        store=plan.store,
        wish=GenerationWish.FILL,
        paused=plan.paused,
        rate=plan.rate,
        by=plan.by,
        why=plan.why,
        state=GenerationState.PLANNED,
    )


def _wanted(pair: Pair) -> IndexGeneration:
    """What is wanted of a generation now; of a baseline, about which nobody wrote, that it serves."""
    if pair.wanted is not None:
        return pair.wanted
    return structs.replace(
        pair.side, side=GenerationSide.WANTED, state=GenerationState.PLANNED,
        cutover=0, canary=0.0, message="", counts={}, history=(),
    )  # fmt: skip


def _asked(asked: Asked) -> dict[str, str]:
    return {"by": asked.by, "why": asked.why, "report": asked.report, "override": asked.override}


def _again(told: IndexGeneration) -> IndexGeneration:
    return structs.replace(told, why=f"{told.why} (again, {now_ms()})".lstrip())


def _of(table: GenerationTable, number: int) -> Pair:
    pair = table.get(number)
    if pair is None:
        raise SelectionError(f"GENERATION: there is no g{number}; `roggia generation list` shows them")
    return pair
