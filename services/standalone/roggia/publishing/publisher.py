"""Send `doc.changed` events and follow them to the index. The one place where publishing meets Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

from roggia_operator.generations.settings import GenerationOptions
from roggia_operator.generations.table import states
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.generations import serving
from roggia_runtime.producer import Producer
from roggia_runtime.records import Headers, Partition, Record
from roggia_runtime.settings import KafkaSettings, RegistrySettings, load
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, DocUpserted

from roggia.connection import Connection
from roggia.errors import StandaloneError
from roggia.publishing import whereabouts
from roggia.publishing.tracker import Tracker

BATCH = 100
_EMBEDDED = "doc.embedded."
SOURCE = "roggia/publish"


def kafka_settings(where: Connection) -> KafkaSettings:
    """Kafka settings from the environment, with the address that was resolved."""
    return load(KafkaSettings, bootstrap=where.kafka)


def registry_settings(where: Connection) -> RegistrySettings:
    """Registry settings from the environment, with the address that was resolved (none: bundled schemas)."""
    return load(RegistrySettings, url=where.registry or None)


class Publisher:
    """Publishes documents and can wait for them. Use `open_publisher`."""

    def __init__(self, kafka: KafkaSettings, producer: Producer, codec: EventCodec, admin: TopicAdmin) -> None:
        self._kafka = kafka
        self._producer = producer
        self._codec = codec
        self._admin = admin

    async def send(self, events: Sequence[DocChanged]) -> None:
        """Produce events and return when Kafka has them all. Raises `ProduceError`."""
        outputs = [self._codec.output(topics.DOC_CHANGED, event) for event in events]
        await self._producer.send_all(outputs)

    async def domains(self, tenant: str, ids: Collection[str]) -> dict[str, str]:
        """See `whereabouts.domains_of`."""
        return await whereabouts.domains_of(self._admin, self._codec, tenant, ids)

    async def serving(self, tenant: str, domain: str) -> int:
        """The generation whose index readers of a knowledge base have now. After a cutover it goes on following."""
        rows = await states(self._kafka, self._codec)
        return serving(rows, tenant, domain, load(GenerationOptions).baseline)

    async def positions(self, generation: int) -> dict[Partition, int]:
        """Where the confirmations of what is published from now on will begin, for the index of a generation."""
        found: dict[Partition, int] = {}
        for topic in watched(await self._admin.topics(), generation):
            ends = await self._admin.end_offsets(topic)
            found |= {Partition(topic, number): offset for number, offset in ends.items()}
        return found

    async def follow(
        self,
        tracker: Tracker,
        positions: Mapping[Partition, int],
        seen: Callable[[], None],
        stall_s: float = 120.0,
    ) -> None:
        """Feed `tracker` until nothing is waited for; call `seen` after each event.

        Raises `StandaloneError` when nothing settled for `stall_s` seconds: something downstream is down.
        """
        async with aclosing(self._admin.follow(positions)) as records:
            while tracker.waiting:
                try:
                    record = await asyncio.wait_for(anext(records), stall_s)
                except TimeoutError:
                    raise StandaloneError(_stalled(tracker, stall_s)) from None
                await self._judge(tracker, record)
                seen()

    async def _judge(self, tracker: Tracker, record: Record) -> None:
        if record.topic == topics.DOC_UPSERTED:
            tracker.upserted(await self._codec.decode(DocUpserted, record))
        else:
            tracker.dead_letter(record.key, texts(record.headers))


def _stalled(tracker: Tracker, stall_s: float) -> str:
    return (
        f"{len(tracker.waiting)} documents are not searchable yet and nothing came for {stall_s:.0f} s; "
        "see `roggia status` for what is behind or down"
    )


def watched(known: Iterable[str], generation: int) -> list[str]:
    """Topics that tell how a publication ended: the confirmations, and every document topic's dead letters; of those
    that hold embeddings, the generation's own."""
    dead = sorted(name for name in known if name.startswith("doc.") and name.endswith(".dlq"))
    own = f"{topics.doc_embedded(generation)}."
    return [topics.DOC_UPSERTED, *(name for name in dead if name.startswith(own) or not name.startswith(_EMBEDDED))]


def texts(headers: Headers) -> dict[str, str]:
    """Headers as text, for showing."""
    return {name: value.decode(errors="replace") for name, value in headers}


@asynccontextmanager
async def open_publisher(where: Connection) -> AsyncIterator[Publisher]:
    """A publisher connected to Kafka and, where there is one, the registry. Raises what says that they are down."""
    kafka = kafka_settings(where)
    codec, producer = EventCodec(registry_settings(where), source=SOURCE), Producer(kafka, "roggia-publish")
    try:
        async with TopicAdmin(kafka) as admin:
            await codec.start()
            await producer.start()
            yield Publisher(kafka, producer, codec, admin)
    finally:
        await producer.stop()
        await codec.stop()
