"""Topics of a generation, and where its filling ends: asked of Kafka."""

from __future__ import annotations

from collections.abc import Mapping

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import AdminError
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.registry import RegistryClient
from roggia_runtime.settings import KafkaSettings, RegistrySettings
from roggia_schemas import bundled, topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocChunked, IndexGeneration
from roggia_schemas.topics import TopicSpec

from roggia_operator.generations.values import Ground

_LOOKED_AT = 20
"""Newest records of each partition that are asked for the bound of their chunker."""


class KafkaGround:
    """`register` says whether schemas may be registered (development); else operators do it."""

    def __init__(self, kafka: KafkaSettings, registry: RegistrySettings, codec: EventCodec, *, register: bool) -> None:
        self._kafka, self._registry, self._codec, self._register = kafka, registry, codec, register

    async def prepare(self, row: IndexGeneration) -> Ground:
        """Make topics, register the schema, note the ends. Raises `UnavailableError`, `AdminError`, and `RegistryError`
        or `ConfigurationError` from a registry that refuses."""
        chunked, embedded = topics.doc_chunked(row.chunker_generation), topics.doc_embedded(row.generation)
        async with TopicAdmin(self._kafka) as admin:
            known = await admin.topics()
            if chunked not in known:
                return Ground(now_ms(), trouble=f"chunker: c{row.chunker_generation}: there is no topic {chunked}")
            if wrong := await self._made(admin, row.generation):
                return Ground(now_ms(), trouble=f"topics: {wrong}")
            if sum((await admin.end_offsets(embedded)).values()):
                return Ground(now_ms(), trouble=f"number: {embedded} holds another's records; plan a new generation")
        await self._schema(embedded)
        return await self._noted(chunked)

    async def _made(self, admin: TopicAdmin, generation: int) -> str:
        """Make the topics; what cannot be made so. Raises `AdminError` where this service may not make any."""
        try:
            changes = await admin.apply(specs_of(generation))
        except AdminError as error:
            raise AdminError(f"{error}; or `roggia topics apply --generation {generation}`") from error
        return "; ".join(str(change) for change in changes if not change.allowed(()))

    async def _schema(self, topic: str) -> None:
        if not self._register or not self._registry.url:
            return
        client = RegistryClient(self._registry)
        try:
            subject, spec = bundled.subject(topic), topics.spec(topic)
            await client.set_compatibility(subject, spec.compatibility)
            await client.register(subject, bundled.schema_text(spec.event))
        finally:
            await client.close()

    async def _noted(self, chunked: str) -> Ground:
        async with TopicAdmin(self._kafka) as admin:
            numbers = sorted(await admin.end_offsets(chunked))
        async with RangeReader(self._kafka) as reader:
            spans = await reader.spans([Partition(chunked, number) for number in numbers])
            largest = await self._largest(reader, spans)
        ends = {where.number: span.end for where, span in spans.items()}
        return Ground(now_ms(), ends, sum(span.offsets for span in spans.values()), largest)

    async def _largest(self, reader: RangeReader, spans: Mapping[Partition, Span]) -> int:
        """Tokens of the largest passages that the newest records may hold; 0 where none tells."""
        newest = {where: Span(max(span.first, span.end - _LOOKED_AT), span.end) for where, span in spans.items()}
        found = 0
        async for piece in reader.read(newest):
            for record in piece.records:
                found = max(found, await self._bound(record))
        return found

    async def _bound(self, record: Record) -> int:
        """A record's largest passage; 0 for a null and for what cannot be read, which every stage refuses by itself."""
        if record.value is None:
            return 0
        try:
            return (await self._codec.decode(DocChunked, record)).max_chunk_tokens
        except SchemasError:
            return 0


def specs_of(generation: int) -> list[TopicSpec]:
    """The topics of a generation: between embed and upsert, its replay lane, and the dead letters of both."""
    live = topics.doc_embedded(generation)
    both = (live, topics.replay(live))
    return [topics.spec(name) for topic in both for name in (topic, topics.dlq(topic))]
