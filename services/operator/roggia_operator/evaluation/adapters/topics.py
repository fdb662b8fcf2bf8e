"""Topics as evaluation reads them: whole, without a group, committed records alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocChunked, RetrievalServed, RetrievalShadowed

from roggia_operator.errors import SelectionError
from roggia_operator.evaluation.corpus.documents import Document, document
from roggia_operator.evaluation.golden.clicks import Served

_CLIENT = "roggia-eval"


class KafkaCorpus:
    """A `CorpusLog`. What it holds in memory is one small row per document, no text."""

    def __init__(self, settings: KafkaSettings, codec: EventCodec, generation: int = 1) -> None:
        self._settings, self._codec = settings, codec
        self.topic = topics.doc_chunked(generation)
        self.offsets: Mapping[int, int] = {}
        self.unreadable = 0

    async def documents(self, tenant: str = "", domain: str = "") -> AsyncIterator[Document]:
        """See `CorpusLog`. A document whose newest record cannot be read counts as its last readable version."""
        prefix = f"{tenant}/".encode() if tenant else b""
        newest: dict[bytes, Document | None] = {}
        async for record in self._records():
            if record.key is not None and record.key.startswith(prefix):
                await self._take(record.key, record, newest)
        for found in newest.values():
            if found is not None and domain in ("", found.domain):
                yield found

    async def _records(self) -> AsyncIterator[Record]:
        self.offsets = await _ends(self._settings, self.topic)
        async for record in _read(self._settings, self.topic, self.offsets):
            yield record

    async def _take(self, key: bytes, record: Record, newest: dict[bytes, Document | None]) -> None:
        if record.value is None:
            newest[key] = None
            return
        try:
            event = await self._codec.decode(DocChunked, record)
        except SchemasError:
            self.unreadable += 1
            return
        newest[key] = None if event.deleted else document(event)


class KafkaServed:
    """A `ServedLog`."""

    def __init__(self, settings: KafkaSettings, codec: EventCodec) -> None:
        self._settings, self._codec = settings, codec

    async def searches(self) -> Mapping[str, Served]:
        """See `ServedLog`."""
        found: dict[str, Served] = {}
        ends = await _ends(self._settings, topics.RETRIEVAL_SERVED)
        async for record in _read(self._settings, topics.RETRIEVAL_SERVED, ends):
            event = await self._event(record)
            if event is not None and event.query_text:
                shown = tuple(dict.fromkeys(one.doc_id for one in event.results))
                found[str(event.event_id)] = Served(event.tenant_id, event.domain, event.query_text, shown)
        return found

    async def _event(self, record: Record) -> RetrievalServed | None:
        try:
            return await self._codec.decode(RetrievalServed, record)
        except SchemasError:
            return None


class KafkaShadowed:
    """A `ShadowedLog`."""

    def __init__(self, settings: KafkaSettings, codec: EventCodec) -> None:
        self._settings, self._codec = settings, codec

    async def events(self) -> AsyncIterator[RetrievalShadowed]:
        """See `ShadowedLog`."""
        ends = await _ends(self._settings, topics.RETRIEVAL_SHADOWED)
        async for record in _read(self._settings, topics.RETRIEVAL_SHADOWED, ends):
            with suppress(SchemasError):
                yield await self._codec.decode(RetrievalShadowed, record)


async def _ends(settings: KafkaSettings, topic: str) -> dict[int, int]:
    async with TopicAdmin(settings) as admin:
        if topic not in await admin.topics():
            raise SelectionError(f"{topic}: does not exist on this cluster; name the generation that does")
        return await admin.end_offsets(topic)


async def _read(settings: KafkaSettings, topic: str, ends: Mapping[int, int]) -> AsyncIterator[Record]:
    async with RangeReader(settings, _CLIENT) as reader:
        held = await reader.spans([Partition(topic, number) for number in ends])
        spans = {partition: Span(span.first, ends[partition.number]) for partition, span in held.items()}
        async for piece in reader.read(spans):
            for record in piece.records:
                yield record
