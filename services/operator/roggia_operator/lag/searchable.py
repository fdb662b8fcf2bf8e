"""How long documents take from their change to being searchable, read from what the index reports."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import structlog
from roggia_runtime import replay
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import AdminError
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocUpserted

from roggia_operator.reading.tail import newest

RECENT = 500
"""Documents that the summary looks back on."""
FIRST = 50
"""Documents per partition that are read from before the start."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from change to searchable over `documents` recent ones; None without any."""

    documents: int
    p50_s: float | None
    p95_s: float | None
    last_indexed_at: int | None
    """When the newest of them was searchable, milliseconds since the epoch, UTC."""


@dataclass(frozen=True, slots=True)
class Searchable:
    """Live documents, and apart from them those that were processed again: their change may lie years back."""

    live: Waits
    replayed: Waits


class Observed(Protocol):
    """Told of every document that has become searchable."""

    def __call__(self, waited_s: float, *, replayed: bool) -> None:
        """Take it in."""
        ...


def _ignore(waited_s: float, *, replayed: bool) -> None:
    """Nobody listens."""


def every(_event: DocUpserted) -> bool:
    """Every index counts."""
    return True


class Recent:
    """The newest documents that became searchable. `awaited` says whose events count: those of the index that readers
    of a knowledge base have. One that fills is late by as much as the documents are old, and nobody waits for it."""

    def __init__(self, told: Observed = _ignore, awaited: Callable[[DocUpserted], bool] = every) -> None:
        self._told, self._awaited = told, awaited
        self._seen: dict[bool, deque[tuple[int, float]]] = {again: deque(maxlen=RECENT) for again in (False, True)}

    def add(self, event: DocUpserted, *, replayed: bool, new: bool = True) -> None:
        """Take in one event of doc.upserted; `new`: it came while we looked, so that who listens is told."""
        if not self._awaited(event):
            return
        waited_s = max(0, event.indexed_at - event.occurred_at) / 1000
        self._seen[replayed].append((event.indexed_at, waited_s))
        if new:
            self._told(waited_s, replayed=replayed)

    def summary(self) -> Searchable:
        """Medians and 95th percentiles."""
        return Searchable(_waits(self._seen[False]), _waits(self._seen[True]))


async def look_back(kafka: KafkaSettings, codec: EventCodec, recent: Recent) -> dict[Partition, int]:
    """Take in the newest documents; return from where on they are to be followed. Empty without the topic."""
    async with TopicAdmin(kafka) as admin:
        if topics.DOC_UPSERTED not in await admin.topics():
            return {}
        ends = await admin.end_offsets(topics.DOC_UPSERTED)
        for number, end in ends.items():
            partition = Partition(topics.DOC_UPSERTED, number)
            for record in await newest(admin, partition, end, FIRST):
                await _take(record, codec, recent, new=False)
    return {Partition(topics.DOC_UPSERTED, number): end for number, end in ends.items()}


async def follow(kafka: KafkaSettings, codec: EventCodec, recent: Recent) -> None:
    """Take in the newest documents and then what comes, until cancelled. Raises `AdminError` without the topic."""
    starts = await look_back(kafka, codec, recent)
    if not starts:
        raise AdminError(f"topic {topics.DOC_UPSERTED} does not exist: run `roggia topics apply`")
    async with aclosing(TopicAdmin(kafka).follow(starts)) as coming:
        async for record in coming:
            await _take(record, codec, recent, new=True)


async def _take(record: Record, codec: EventCodec, recent: Recent, *, new: bool) -> None:
    try:
        event = await codec.decode(DocUpserted, record)
    except SchemasError as wrong:
        log.warning("unreadable_upserted", partition=record.partition, offset=record.offset, error=str(wrong))
        return
    recent.add(event, replayed=replay.replayed(record.headers), new=new)


def _waits(seen: deque[tuple[int, float]]) -> Waits:
    if not seen:
        return Waits(0, None, None, None)
    waits = sorted(waited for _, waited in seen)
    last = max(indexed_at for indexed_at, _ in seen)
    return Waits(len(waits), waits[len(waits) // 2], waits[min(len(waits) - 1, len(waits) * 95 // 100)], last)
