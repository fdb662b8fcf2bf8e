"""Both sides of every generation, as the compacted topic tells them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec, generation_key
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import GenerationSide, GenerationState, IndexGeneration

PARTITION = Partition(topics.INDEX_GENERATION, 0)


@dataclass(frozen=True, slots=True)
class Pair:
    """One generation. `state` is None until the controller has seen it; `wanted` of a baseline nobody wrote about."""

    number: int
    wanted: IndexGeneration | None = None
    state: IndexGeneration | None = None

    @property
    def side(self) -> IndexGeneration:
        """What it is: its STATE, else what is wanted."""
        side = self.state or self.wanted
        assert side is not None  # a pair is made of a side  # noqa: S101
        return side

    @property
    def status(self) -> GenerationState:
        """Where it is in its life; PLANNED before the controller has seen it."""
        return self.state.state if self.state else GenerationState.PLANNED

    @property
    def answered(self) -> bool:
        """Whether its STATE is about what is wanted now."""
        if self.wanted is None or self.state is None:
            return self.wanted is None
        return _wish(self.wanted) == _wish(self.state)


class GenerationTable:
    """Every generation by number."""

    def __init__(self) -> None:
        self._pairs: dict[int, Pair] = {}

    def __iter__(self) -> Iterator[Pair]:
        return iter([self._pairs[number] for number in sorted(self._pairs)])

    def get(self, number: int) -> Pair | None:
        """One generation, or None."""
        return self._pairs.get(number)

    @property
    def rows(self) -> tuple[IndexGeneration, ...]:
        """The STATE sides, by number."""
        return tuple(pair.state for pair in self if pair.state is not None)

    def put(self, event: IndexGeneration) -> None:
        """Take in one side."""
        pair = self._pairs.get(event.generation, Pair(event.generation))
        wanted = event.side is GenerationSide.WANTED
        self._pairs[event.generation] = replace(pair, wanted=event) if wanted else replace(pair, state=event)

    async def take(self, record: Record, codec: EventCodec) -> IndexGeneration | None:
        """Take in a record; the side that it holds. None for a null, and for a record that is no side of what its key
        names: compaction would keep it in the place of that one."""
        if record.value is None:
            self._drop((record.key or b"").decode(errors="replace"))
            return None
        event = await side(record, codec)
        if event is not None:
            self.put(event)
        return event

    def _drop(self, key: str) -> None:
        for pair in self:
            if key == generation_key(pair.number, GenerationSide.WANTED).decode():
                pair = replace(pair, wanted=None)  # noqa: PLW2901
            elif key == generation_key(pair.number, GenerationSide.STATE).decode():
                pair = replace(pair, state=None)  # noqa: PLW2901
            self._pairs[pair.number] = pair
            if pair.wanted is None and pair.state is None:
                del self._pairs[pair.number]


async def side(record: Record, codec: EventCodec) -> IndexGeneration | None:
    """The side in a record, or None."""
    try:
        event = await codec.decode(IndexGeneration, record)
    except SchemasError:
        return None
    return event if event.generation >= 1 and record.key == generation_key(event.generation, event.side) else None


async def read(settings: KafkaSettings, codec: EventCodec) -> tuple[GenerationTable, int]:
    """The generations as the topic tells them now, and the offset to go on at. Raises `UnavailableError`,
    `AdminError`."""
    table = GenerationTable()
    async with RangeReader(settings) as reader:
        return table, await catch_up(table, reader, codec, 0)


async def states(settings: KafkaSettings, codec: EventCodec) -> tuple[IndexGeneration, ...]:
    """The STATE sides as the topic tells them now; none on a cluster without the topic. Raises as `read` does."""
    if topics.INDEX_GENERATION not in await TopicAdmin(settings).topics():
        return ()
    return (await read(settings, codec))[0].rows


async def catch_up(table: GenerationTable, reader: RangeReader, codec: EventCodec, offset: int) -> int:
    """Take in what the topic holds from `offset` on; the offset to go on at. Raises as `read` does."""
    span = (await reader.spans([PARTITION]))[PARTITION]
    async for piece in reader.read({PARTITION: Span(max(offset, span.first), span.end)}):
        for record in piece.records:
            await table.take(record, codec)
    return span.end


def _wish(side: IndexGeneration) -> tuple[object, ...]:
    return side.wish, side.by, side.why, side.report, side.override, side.paused, side.rate
