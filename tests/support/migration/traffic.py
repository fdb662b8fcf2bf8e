"""Documents that change without end: what publishers do while an operator migrates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from msgspec import structs
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import ProduceError, UnavailableError
from roggia_runtime.producer import Producer
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import DocChanged

_AGAIN_S = 0.1
_LOAD = 500


class Traffic:
    """Publishes `events`, which must not run out, at most `rate` per second, one after the other.

    `occurred_at` is the time of publication: it says how old a change was when it could be found.
    """

    def __init__(self, kafka: KafkaSettings, codec: EventCodec, events: Iterator[DocChanged], rate: float) -> None:
        self._kafka, self._codec, self._events, self._rate = kafka, codec, events, rate
        self._producer: Producer | None = None
        self._flowing, self._stopped, self._idle = asyncio.Event(), False, asyncio.Event()
        self._flowing.set()
        self.published = 0

    async def load(self, count: int) -> None:
        """The first `count` events, as fast as they go."""
        for start in range(0, count, _LOAD):
            await self._sent(self._next(min(_LOAD, count - start)))

    async def run(self) -> None:
        """Publish until `stop`."""
        while not self._stopped:
            if not self._flowing.is_set():
                self._idle.set()
                await self._flowing.wait()
            await self._sent(self._next(1))
            await asyncio.sleep(1 / self._rate)

    async def pause(self) -> None:
        """Hold it; nothing is on its way to the broker when this returns."""
        self._idle.clear()
        self._flowing.clear()
        await self._idle.wait()

    def resume(self) -> None:
        """Go on."""
        self._flowing.set()

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopped = True
        self._flowing.set()

    def _next(self, count: int) -> list[DocChanged]:
        return [structs.replace(next(self._events), occurred_at=now_ms()) for _ in range(count)]

    async def close(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _sent(self, events: Sequence[DocChanged]) -> None:
        """Send; once more where a client gave up on a broker that was away: a repeat is stale and changes nothing."""
        outputs = [self._codec.output(topics.DOC_CHANGED, event) for event in events]
        while outputs:
            try:
                await (await self._connected()).deliver(outputs)
            except (ProduceError, UnavailableError):
                await self.close()
                await asyncio.sleep(_AGAIN_S)
            else:
                self.published += len(outputs)
                return

    async def _connected(self) -> Producer:
        if self._producer is None:
            producer = Producer(self._kafka, "publisher")
            await producer.start()
            self._producer = producer
        return self._producer
