"""Publishes the query role's events through the runtime's producer, which is started with the first, not before."""

from __future__ import annotations

import asyncio

from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.records import Headers
from roggia_schemas.events import RetrievalServed, RetrievalShadowed
from roggia_schemas.topics import RETRIEVAL_SERVED, RETRIEVAL_SHADOWED


class Publisher:
    """Called by one task for each kind of event, one event at a time. Owns the producer; the codec is the caller's."""

    def __init__(self, producer: Producer, codec: EventCodec) -> None:
        self._producer = producer
        self._codec = codec
        self._started = False
        self._starting = asyncio.Lock()

    async def __call__(self, event: RetrievalServed | RetrievalShadowed, parent: Headers = ()) -> None:
        """Return once the brokers have the event. Raises `RoggiaError` or `SchemasError`; the next call tries anew."""
        async with self._starting:
            if not self._started:
                await self._codec.start()
                await self._producer.start()
                self._started = True
        topic = RETRIEVAL_SERVED if isinstance(event, RetrievalServed) else RETRIEVAL_SHADOWED
        await self._producer.send(self._codec.output(topic, event, parent_headers=parent))

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()
