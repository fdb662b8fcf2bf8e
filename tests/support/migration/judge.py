"""Every point of every generation against the model of the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from roggia_embedder.adapters.pgvector import PgvectorCatalogue, PgvectorStore
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_schemas import topics
from roggia_schemas.events import DocUpserted

from tests.support.migration.ensemble import Ensemble, model_of
from tests.support.storm import judge, model, points
from tests.support.storm.model import Expected
from tests.support.storm.points import HeadPoint, Point, Points


@dataclass(frozen=True, slots=True)
class Differences:
    """In words: `missing` points; `resurrected` passages of documents that are deleted there; `mixed`: vectors that are
    not the generation's own model's of the point's text; `other`: whatever else should not be so."""

    missing: tuple[str, ...] = ()
    resurrected: tuple[str, ...] = ()
    mixed: tuple[str, ...] = ()
    other: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def __add__(self, more: Differences) -> Differences:
        return Differences(*(mine + its for mine, its in zip(_parts(self), _parts(more), strict=True)))

    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: len(found) for name, found in asdict(self).items()}


async def expected(ensemble: Ensemble, codec: EventCodec) -> Expected:
    """What the log demands now."""
    return await model.expected(await ensemble.records(topics.DOC_CHANGED), {}, codec)


async def judged(ensemble: Ensemble, codec: EventCodec, generations: Sequence[int]) -> tuple[Expected, Differences]:
    """Log, index and announcements once everything has settled: each generation is what the log demands, there is
    nothing beside them, and readers are on the last one."""
    want = await expected(ensemble, codec)
    wrong = await judge.chunked(want, await ensemble.records(topics.doc_chunked(1)), codec)
    announced = await _announced(await ensemble.records(topics.DOC_UPSERTED), codec)
    for number in generations:
        wrong += [f"g{number}: {one}" for one in await judge.upserted(want, announced[number], codec)]
    wrong += await _letters(ensemble)
    store = PgvectorStore.connect(ensemble.dsn)
    try:
        held = await points.held_in(store, model_of)
        pointed = {one.alias: one.generation for one in await PgvectorCatalogue(store.database).bindings()}
    finally:
        await store.close()
    wrong += [f"{alias} → g{to}" for alias, to in pointed.items() if to != generations[-1]]
    first = points.demanded(want)
    demanded = set[Point | HeadPoint]().union(*(points.of_generation(first, number) for number in generations))
    return want, compared(demanded, held) + Differences(other=tuple(wrong))


def compared(want: Points, got: Points) -> Differences:
    """What is there against what must be."""
    mixed = {point for point in got if isinstance(point, Point) and not point.vector}
    right = {point._replace(vector=True) if isinstance(point, Point) else point for point in got}
    living = {(point.collection, point.doc_id) for point in want if isinstance(point, Point)}
    extra = right - want
    back = {one for one in extra if isinstance(one, Point) and (one.collection, one.doc_id) not in living}
    return Differences(*(tuple(sorted(map(_short, found))) for found in (want - right, back, mixed, extra - back)))


async def _announced(records: Sequence[Record], codec: EventCodec) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        found[(await codec.decode(DocUpserted, record)).generation].append(record)
    return found


async def _letters(ensemble: Ensemble) -> list[str]:
    live = [topics.DOC_CHANGED, topics.doc_chunked(1), topics.doc_embedded(1), topics.doc_embedded(2)]
    names = [topics.dlq(name) for topic in live for name in (topic, topics.replay(topic))]
    return [f"dead letter in {name}: {letter.headers}" for name in names for letter in await ensemble.records(name)]


def _parts(one: Differences) -> tuple[tuple[str, ...], ...]:
    return one.missing, one.resurrected, one.mixed, one.other


def _short(point: Point | HeadPoint) -> str:
    return str(tuple(part[:40] if isinstance(part, str) else part for part in point))
