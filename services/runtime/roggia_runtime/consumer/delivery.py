"""The two ways to make a batch final: at least once, and transactionally.

Both are used by the loop alone, under its lock, and answer the same four calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from roggia_runtime import clients, producer
from roggia_runtime.consumer import batches
from roggia_runtime.consumer.batches import Batch, Polled
from roggia_runtime.records import Output, Partition
from roggia_runtime.settings import BatchLimits, KafkaSettings


class Delivery(Enum):
    """What a crash may do to a batch's outputs."""

    AT_LEAST_ONCE = "at_least_once"
    """Outputs may be produced again. Batches mix partitions."""
    TRANSACTIONAL = "transactional"
    """Outputs and offsets become visible together or not at all (read_committed). One batch, one partition."""


class FencedError(Exception):
    """Another member owns the partition, or its transaction is beyond repair. Internal to the loop."""

    def __init__(self, partition: Partition, cause: BaseException) -> None:
        super().__init__(f"{partition.topic}/{partition.number}: {cause!r}")
        self.partition = partition


class Finisher(Protocol):
    """How a delivery mode starts, cuts, finishes and stops."""

    async def assigned(self, partitions: Collection[Partition]) -> None:
        """Take partitions over, before their committed offsets are read."""
        ...

    async def revoked(self) -> None:
        """Give all partitions up."""
        ...

    def cut(self, polled: Mapping[Partition, Polled], limits: BatchLimits) -> Iterator[Batch]:
        """Batches in which polled records are judged and finished."""
        ...

    async def finish(self, outputs: Sequence[Output], positions: Mapping[Partition, int]) -> None:
        """Produce outputs and commit positions. Raises `ProduceError`, `FencedError`, `CommitFailedError`."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...


class AtLeastOnce:
    """Produce, wait for every acknowledgement, then commit."""

    def __init__(self, consumer: AIOKafkaConsumer, settings: KafkaSettings, group: str) -> None:
        self._consumer = consumer
        self._producer = producer.Producer(settings, group)
        self._started = False

    async def assigned(self, partitions: Collection[Partition]) -> None:
        """Start the producer on the first assignment."""
        if not self._started and partitions:
            await self._producer.start()
            self._started = True

    async def revoked(self) -> None:
        """Nothing is bound to a partition."""

    def cut(self, polled: Mapping[Partition, Polled], limits: BatchLimits) -> Iterator[Batch]:
        """Batches over all partitions."""
        return batches.over_all(polled, limits)

    async def finish(self, outputs: Sequence[Output], positions: Mapping[Partition, int]) -> None:
        """Produce, then commit."""
        if outputs:
            await self._producer.send_all(outputs)
        await self._consumer.commit({TopicPartition(*p): offset for p, offset in positions.items()})

    async def stop(self) -> None:
        """Stop the producer."""
        await self._producer.stop()


class Transactional:
    """One producer with one transactional.id per (group, source partition), because the client has no KIP-447.

    Starting it fences the partition's former owner and waits until its open transaction is gone.
    """

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        self._settings = settings
        self._group = group
        self._producers: dict[Partition, AIOKafkaProducer] = {}

    async def assigned(self, partitions: Collection[Partition]) -> None:
        """Start every partition's producer."""
        await asyncio.gather(*(self._start(partition) for partition in partitions))

    async def revoked(self) -> None:
        """Stop every producer."""
        producers, self._producers = self._producers, {}
        await asyncio.gather(*(producer.close(client, _CLOSE_S) for client in producers.values()))

    def cut(self, polled: Mapping[Partition, Polled], limits: BatchLimits) -> Iterator[Batch]:
        """Batches of one partition."""
        return (batch for _, batch in batches.per_partition(polled, limits))

    async def finish(self, outputs: Sequence[Output], positions: Mapping[Partition, int]) -> None:
        """One transaction for the one partition in `positions`; without positions for nothing but outputs."""
        (partition,) = positions
        client = self._producers.get(partition)
        if client is None:
            raise FencedError(partition, LookupError("no producer"))
        try:
            await self._transact(client, outputs, {TopicPartition(*partition): positions[partition]})
        except KafkaError as error:
            raise FencedError(partition, error) from error

    async def stop(self) -> None:
        """Stop every producer."""
        await self.revoked()

    async def _transact(
        self, client: AIOKafkaProducer, outputs: Sequence[Output], offsets: Mapping[TopicPartition, int]
    ) -> None:
        await client.begin_transaction()
        await producer.send_all(client, outputs)
        await client.send_offsets_to_transaction(offsets, self._group)
        await client.commit_transaction()

    async def _start(self, partition: Partition) -> None:
        name = f"{self._group}-{partition.topic}-{partition.number}"
        client = AIOKafkaProducer(**clients.transactional_producer(self._settings, name))
        try:
            await client.start()
        except BaseException:
            await producer.close(client, _CLOSE_S)
            raise
        self._producers[partition] = client


_CLOSE_S = 5.0
__all__ = ["AtLeastOnce", "Delivery", "FencedError", "Finisher", "ProducerFenced", "Transactional"]
