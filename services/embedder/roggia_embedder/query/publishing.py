"""Publishes `retrieval.served` through the runtime's producer, which is started with the first event, not before."""

from __future__ import annotations

from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.records import Headers
from roggia_schemas.events import RetrievalServed
from roggia_schemas.topics import RETRIEVAL_SERVED


class Publisher:
    """Called by one task, one event at a time. Owns the producer; the codec is the caller's."""

    def __init__(self, producer: Producer, codec: EventCodec) -> None:
        self._producer = producer
        self._codec = codec
        self._started = False

    async def __call__(self, event: RetrievalServed, parent: Headers = ()) -> None:
        """Return once the brokers have the event. Raises `RoggiaError` or `SchemasError`; the next call tries anew."""
        if not self._started:
            await self._codec.start()
            await self._producer.start()
            self._started = True
        await self._producer.send(self._codec.output(RETRIEVAL_SERVED, event, parent_headers=parent))

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()
