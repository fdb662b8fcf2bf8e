"""Two windows of time of what was embedded: one passage of each document, with its vector and text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocEmbedded

from roggia_operator.errors import SelectionError
from roggia_operator.evaluation.errors import EvaluationError

MOST = 5_000
"""Documents of a window that are kept; of more, a random sample."""


@dataclass(frozen=True, slots=True)
class Between:
    """Times in UTC epoch milliseconds: the reference is from `start` to before `middle`, the recent window after it."""

    start: int
    middle: int


@dataclass(slots=True)
class Window:
    """Documents of a window, in no order."""

    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    keys: set[tuple[str, str]] = field(default_factory=set)

    def add(self, event: DocEmbedded, random: np.random.Generator) -> None:
        """Keep the first passage of one more document, or replace one at random, so that every document has the same
        chance (Vitter's algorithm R, 1985). A document that changes often counts once.
        """
        if (key := (event.tenant_id, event.doc_id)) in self.keys:
            return
        self.keys.add(key)
        vector = np.asarray(event.vectors, dtype=np.float32).reshape(len(event.chunks), -1)[0].copy()
        text = event.chunks[0].text
        if len(self.texts) < MOST:
            self.vectors.append(vector)
            self.texts.append(text)
        elif (place := int(random.integers(len(self.keys)))) < MOST:
            self.vectors[place], self.texts[place] = vector, text


async def windows(
    settings: KafkaSettings, codec: EventCodec, generation: int, between: Between, tenant: str = ""
) -> tuple[Window, Window]:
    """The reference and the recent window of a generation, by when documents changed upstream.

    Raises `SelectionError` for a generation without a topic, `EvaluationError` for vectors of two models, and
    `UnavailableError`, `AdminError`.
    """
    topic, random = topics.doc_embedded(generation), np.random.default_rng(0)
    found, model = (Window(), Window()), ""
    async for record in _since(settings, topic, between.start):
        event = await _event(record, codec)
        if event is None or (tenant and event.tenant_id != tenant) or event.occurred_at < between.start:
            continue
        if model not in ("", event.model):
            raise EvaluationError(f"{topic}: holds vectors of {model} and of {event.model}; drift compares one model's")
        model = event.model
        found[event.occurred_at >= between.middle].add(event, random)
    return found


async def _event(record: Record, codec: EventCodec) -> DocEmbedded | None:
    """The first part of a document's vectors; None for anything else."""
    if record.value is None:
        return None
    try:
        event = await codec.decode(DocEmbedded, record)
    except SchemasError:
        return None
    return event if event.chunks and event.part == 0 else None


async def _since(settings: KafkaSettings, topic: str, start_ms: int) -> AsyncIterator[Record]:
    # A document is embedded after it changed: records of the window are none older than its beginning.
    known = {one.name: one.partitions for one in await TopicAdmin(settings).list()}
    if topic not in known:
        raise SelectionError(f"--generation: {topic} does not exist on this cluster; name a generation that does")
    partitions = [Partition(topic, number) for number in range(known[topic])]
    async with RangeReader(settings, "roggia-eval") as reader:
        spans, starts = await reader.spans(partitions), await reader.at(partitions, start_ms)
        wanted = {part: Span(spans[part].end if at is None else at, spans[part].end) for part, at in starts.items()}
        async for piece in reader.read(wanted):
            for record in piece.records:
                yield record
