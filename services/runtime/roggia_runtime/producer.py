"""The producer that services use outside transactions: idempotent, acknowledged by all in-sync replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from roggia_runtime import clients
from roggia_runtime.errors import ProduceError
from roggia_runtime.records import Output
from roggia_runtime.settings import KafkaSettings


class Producer:
    """Sends outputs and returns when the brokers have them. One per process is enough; safe to share between tasks."""

    def __init__(self, settings: KafkaSettings, client_id: str = "roggia") -> None:
        self._settings = settings
        self._client_id = client_id
        self._client: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect. Raises `ProduceError` when no broker answers."""
        client = AIOKafkaProducer(**clients.producer(self._settings, self._client_id))
        try:
            await client.start()
        except KafkaError as error:
            await client.stop()
            raise ProduceError(f"cannot reach Kafka at {self._settings.bootstrap}: {error!r}") from error
        self._client = client

    async def send(self, output: Output) -> tuple[int, int]:
        """Produce one record; return (partition, offset) once acknowledged. Raises `ProduceError`."""
        return (await send_all(self._started(), (output,)))[0]

    async def send_all(self, outputs: Sequence[Output]) -> list[tuple[int, int]]:
        """Produce records, in order per partition; return their (partition, offset). Raises `ProduceError`."""
        return await send_all(self._started(), outputs)

    async def stop(self, timeout_s: float = 10.0) -> None:
        """Send what is buffered and disconnect, within `timeout_s` seconds."""
        client, self._client = self._client, None
        if client is not None:
            await close(client, timeout_s)

    def _started(self) -> AIOKafkaProducer:
        if self._client is None:
            raise ProduceError("the producer is not started")
        return self._client


async def send_all(client: AIOKafkaProducer, outputs: Sequence[Output]) -> list[tuple[int, int]]:
    """Send through a started client and wait for every acknowledgement. Raises `ProduceError` naming the topic."""
    futures: list[asyncio.Future[Any]] = []
    try:
        for output in outputs:
            futures.append(await client.send(output.topic, output.value, output.key, headers=list(output.headers)))
        return [_place(await future) for future in futures]
    except KafkaError as error:
        raise explain(error, outputs[min(len(futures), len(outputs) - 1)]) from error
    finally:
        _forget(futures)


async def close(client: AIOKafkaProducer, timeout_s: float) -> None:
    """Stop a client; give up after `timeout_s` (brokers may be away: what is unacknowledged is not committed)."""
    try:
        async with asyncio.timeout(timeout_s):
            await client.stop()
    except (TimeoutError, KafkaError):
        await client.client.close()


def _place(metadata: Any) -> tuple[int, int]:
    return metadata.partition, metadata.offset


def _forget(futures: Sequence[asyncio.Future[Any]]) -> None:
    """Mark failures as seen: the first one is raised, the others have the same cause."""
    for future in futures:
        if future.done():
            future.cancelled() or future.exception()
        else:
            future.add_done_callback(lambda done: done.cancelled() or done.exception())


def explain(error: KafkaError, output: Output) -> ProduceError:
    """Turn a client's error into one that says what to do."""
    if isinstance(error, UnknownTopicOrPartitionError):
        return ProduceError(f"topic {output.topic} does not exist: create it (roggia topics apply)")
    if isinstance(error, MessageSizeTooLargeError):
        size = len(output.value or b"")
        return ProduceError(f"record of {size} bytes for {output.topic} exceeds ROGGIA_KAFKA_MAX_REQUEST_BYTES")
    return ProduceError(f"cannot produce to {output.topic}: {error!r}")
