"""Producing records: idempotent, acknowledged by all in-sync replicas, an error that says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from roggia_runtime import clients, connecting, denials
from roggia_runtime.errors import MissingTopicError, ProduceError
from roggia_runtime.records import Output
from roggia_runtime.settings import KafkaSettings

_PERMANENT = (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

_LET_GO_S = 1.0
"""Seconds that a client which is given up has for what other tasks sent through it."""


class Producer:
    """Sends outputs and returns when the brokers have them. One per process is enough; tasks may share it.

    While no broker answers, a send waits: cancel it to give up (the record may still arrive). A client whose sequence
    of records has been broken, by a broker that was killed for instance, has every later record refused: after a
    failure that another client need not have, the next send starts one, and then raises what `start` raises as well.
    """

    def __init__(self, settings: KafkaSettings, client_id: str = "roggia") -> None:
        self._settings = settings
        self._client_id = client_id
        self._client: AIOKafkaProducer | None = None
        self._spent: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()

    async def start(self) -> None:
        """Connect. Raises `UnavailableError` when no broker answers, `ProduceError` when Kafka refuses."""
        client = AIOKafkaProducer(**clients.producer(self._settings, self._client_id))
        try:
            await client.start()
        except KafkaConnectionError as error:
            await client.stop()
            raise await connecting.explain(self._settings) from error
        except KafkaError as error:
            await client.stop()
            raise ProduceError(denials.explain(error, self._settings, "write to any topic")) from error
        except asyncio.CancelledError:
            await client.stop()
            raise
        self._client = client

    async def send(self, output: Output) -> tuple[int, int]:
        """Produce one record; return (partition, offset) once acknowledged. Raises `ProduceError`."""
        return (await self.send_all((output,)))[0]

    async def send_all(self, outputs: Sequence[Output]) -> list[tuple[int, int]]:
        """Produce records, in order per partition; return their (partition, offset). Raises `ProduceError`."""
        return [(sent.result().partition, sent.result().offset) for sent in await self._deliver(outputs)]

    async def deliver(self, outputs: Sequence[Output]) -> None:
        """`send_all` for those who do not ask where the records went."""
        await self._deliver(outputs)

    async def stop(self, timeout_s: float = 10.0) -> None:
        """Send what is buffered and disconnect, within `timeout_s` seconds."""
        client, self._client, self._spent = self._client, None, None
        if client is not None:
            await close(client, timeout_s)

    async def _deliver(self, outputs: Sequence[Output]) -> list[asyncio.Future[Any]]:
        client = self._started()
        if client is self._spent:
            client = await self._renewed(client)
        try:
            return await deliver(client, outputs, self._settings)
        except ProduceError as error:
            if not (permanent(error) or isinstance(error, MissingTopicError)):
                self._spent = client
            raise

    async def _renewed(self, spent: AIOKafkaProducer) -> AIOKafkaProducer:
        """Another client in the place of a spent one. Tasks that come meanwhile get the same."""
        async with self._renewing:
            if self._client is spent:
                await self.start()
                await close(spent, _LET_GO_S)
        return self._started()

    def _started(self) -> AIOKafkaProducer:
        if self._client is None:
            raise ProduceError("the producer is not started")
        return self._client


async def send_all(
    client: AIOKafkaProducer, outputs: Sequence[Output], settings: KafkaSettings | None = None
) -> list[tuple[int, int]]:
    """Send through a started client; (partition, offset) of each record. Raises `ProduceError` naming the topic."""
    return [(sent.result().partition, sent.result().offset) for sent in await deliver(client, outputs, settings)]


async def deliver(
    client: AIOKafkaProducer, outputs: Sequence[Output], settings: KafkaSettings | None = None
) -> list[asyncio.Future[Any]]:
    """Send through a started client and wait for every acknowledgement. Raises `ProduceError` naming the topic.

    `settings` are those of the client: they name it where Kafka denies it something. On the consumer loop's hot path:
    one send and one finished future per record, nothing else.
    """
    futures: list[asyncio.Future[Any]] = []
    try:
        for output in outputs:
            headers = list(output.headers) if output.headers else None
            sent = await client.send(output.topic, output.value, output.key, headers=headers)
            futures.append(sent)
        for future in futures:
            await future
    except KafkaError as error:
        _forget(futures)
        raise _explain(error, outputs[min(len(futures), len(outputs) - 1)], settings) from error
    except asyncio.CancelledError:
        _forget(futures)
        raise
    return futures


def permanent(error: ProduceError) -> bool:
    """Say whether the same record would be refused again by another producer."""
    return isinstance(error.__cause__, _PERMANENT)


async def close(client: AIOKafkaProducer, timeout_s: float) -> None:
    """Stop a client; give up after `timeout_s` (brokers may be away: what is unacknowledged is not committed)."""
    try:
        async with asyncio.timeout(timeout_s):
            await client.stop()
    except (TimeoutError, KafkaError):
        await client.client.close()
    _look_at_ends(client)


def _look_at_ends(client: AIOKafkaProducer) -> None:
    """The client keeps how every batch and transaction ended, and what nobody looks at is printed as an error later."""
    kept = client._message_accumulator  # noqa: SLF001  # shown nowhere else
    batches = [*kept._pending_batches, *(batch for queue in kept._batches.values() for batch in queue)]  # noqa: SLF001
    _forget([batch._drain_waiter for batch in batches])  # noqa: SLF001
    if client._txn_manager is not None and (end := client._txn_manager.wait_for_transaction_end()) is not None:  # noqa: SLF001
        _forget([end])


def _forget(futures: Sequence[asyncio.Future[Any]]) -> None:
    """Mark failures as seen: the first one is raised, the others have the same cause."""
    for future in futures:
        if future.done():
            future.cancelled() or future.exception()
        else:
            future.add_done_callback(lambda done: done.cancelled() or done.exception())


def _explain(error: KafkaError, output: Output, settings: KafkaSettings | None) -> ProduceError:
    if isinstance(error, denials.DENIED):
        return ProduceError(denials.explain(error, settings, f"write to topic {output.topic}"))
    if isinstance(error, UnknownTopicOrPartitionError):
        return MissingTopicError(output.topic)
    size = len(output.key or b"") + len(output.value or b"")
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        remedy = "raise ROGGIA_KAFKA_MAX_REQUEST_BYTES or the topic's max.message.bytes"
        return ProduceError(f"record of {size} bytes for {output.topic} is too large: {remedy}")
    return ProduceError(f"cannot produce to {output.topic}: {error!r}")
