"""Send `doc.changed` events and follow them to the index. The one place where publishing meets Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.records import Headers, Record
from roggia_runtime.settings import KafkaSettings, RegistrySettings, load
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, DocUpserted

from roggia.connection import Connection
from roggia.errors import StandaloneError
from roggia.publishing.tracker import Tracker

BATCH = 100
SOURCE = "roggia/publish"


def kafka_settings(where: Connection) -> KafkaSettings:
    """Kafka settings from the environment, with the address that was resolved."""
    return load(KafkaSettings, bootstrap=where.kafka)


def registry_settings(where: Connection) -> RegistrySettings:
    """Registry settings from the environment, with the address that was resolved (none: bundled schemas)."""
    return load(RegistrySettings, url=where.registry or None)


class Publisher:
    """Publishes documents and can wait for them. Use `open_publisher`."""

    def __init__(self, producer: Producer, codec: EventCodec, admin: TopicAdmin) -> None:
        self._producer = producer
        self._codec = codec
        self._admin = admin

    async def send(self, events: Sequence[DocChanged]) -> None:
        """Produce events and return when Kafka has them all. Raises `ProduceError`."""
        outputs = [self._codec.output(topics.DOC_CHANGED, event) for event in events]
        await self._producer.send_all(outputs)

    async def positions(self) -> list[tuple[str, int, int]]:
        """Where the confirmations of what is published from now on will begin: (topic, partition, offset)."""
        known = set(await self._admin.topics())
        found: list[tuple[str, int, int]] = []
        for topic in watched(known):
            ends = await self._admin.end_offsets(topic)
            found += [(topic, partition, offset) for partition, offset in ends.items()]
        return found

    async def follow(
        self,
        tracker: Tracker,
        positions: Sequence[tuple[str, int, int]],
        seen: Callable[[], None],
        stall_s: float = 120.0,
    ) -> None:
        """Feed `tracker` until nothing is waited for; call `seen` after each event.

        Raises `StandaloneError` when nothing settled for `stall_s` seconds: something downstream is down.
        """
        queue: asyncio.Queue[Record] = asyncio.Queue(1000)
        readers = [asyncio.create_task(self._read(queue, *position)) for position in positions]
        try:
            while tracker.waiting:
                record = await _next(queue, readers, stall_s, tracker)
                await self._judge(tracker, record)
                seen()
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    async def _read(self, queue: asyncio.Queue[Record], topic: str, partition: int, offset: int) -> None:
        async for record in self._admin.read(topic, partition, offset, follow=True):
            await queue.put(record)

    async def _judge(self, tracker: Tracker, record: Record) -> None:
        if record.topic == topics.DOC_UPSERTED:
            tracker.upserted(await self._codec.decode(DocUpserted, record))
        else:
            tracker.dead_letter(record.key, texts(record.headers))


async def _next(
    queue: asyncio.Queue[Record], readers: Sequence[asyncio.Task[None]], stall_s: float, tracker: Tracker
) -> Record:
    getting = asyncio.create_task(queue.get())
    done, _ = await asyncio.wait([getting, *readers], timeout=stall_s, return_when=asyncio.FIRST_COMPLETED)
    if getting in done:
        return getting.result()
    getting.cancel()
    for reader in done:
        await reader
    raise StandaloneError(
        f"{len(tracker.waiting)} documents are not searchable yet and nothing came for {stall_s:.0f} s; "
        "see `roggia status` for what is behind or down"
    )


def watched(known: set[str]) -> list[str]:
    """Topics that tell how a publication ended: the confirmations, and every document topic's dead letters."""
    dead = sorted(name for name in known if name.startswith("doc.") and name.endswith(".dlq"))
    return [topics.DOC_UPSERTED, *dead]


def texts(headers: Headers) -> dict[str, str]:
    """Headers as text, for showing."""
    return {name: value.decode(errors="replace") for name, value in headers}


@asynccontextmanager
async def open_publisher(where: Connection) -> AsyncIterator[Publisher]:
    """A publisher connected to Kafka and, where there is one, the registry. Raises what says that they are down."""
    kafka = kafka_settings(where)
    codec = EventCodec(registry_settings(where), source=SOURCE)
    producer, admin = Producer(kafka, "roggia-publish"), TopicAdmin(kafka)
    await codec.start()
    await producer.start()
    try:
        yield Publisher(producer, codec, admin)
    finally:
        await producer.stop()
        await codec.stop()
