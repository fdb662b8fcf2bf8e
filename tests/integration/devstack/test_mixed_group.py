"""One group of aiokafka and librdkafka members: they agree on an assignment and hand partitions over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from confluent_kafka import Consumer

from tests.support.kafka import Broker

_PARTITIONS = 6


class _Librdkafka:
    """A confluent-kafka consumer that is polled in a thread."""

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "partition.assignment.strategy": "range",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "heartbeat.interval.ms": 100,
                "topic.metadata.refresh.interval.ms": 1000,
            }
        )
        self._consumer.subscribe([topic])

    async def values(self) -> list[bytes]:
        """Whatever comes within a short while; commits it."""
        messages = await asyncio.to_thread(self._consumer.consume, 500, 0.1)
        good = [message for message in messages if message.error() is None]
        if good:
            await asyncio.to_thread(self._consumer.commit, asynchronous=False)
        return [message.value() or b"" for message in good]

    def partitions(self) -> set[int]:
        """What is assigned to it now."""
        return {assigned.partition for assigned in self._consumer.assignment()}

    async def close(self) -> None:
        """Leave the group."""
        await asyncio.to_thread(self._consumer.close)


async def _produce(bootstrap: str, topic: str, values: Iterable[int]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    sent = [await producer.send(topic, b"%d" % value, partition=value % _PARTITIONS) for value in values]
    await asyncio.gather(*sent)
    await producer.stop()


async def test_members_of_two_kinds_share_the_work(devstack: Broker, topic_name: Callable[[str], str]) -> None:
    """Each record is read; both members work; when one leaves, the other takes over all partitions where it stopped."""
    topic, group, bootstrap = topic_name("mixed"), topic_name("group"), devstack.bootstrap
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, _PARTITIONS, 1)])
    first = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        heartbeat_interval_ms=100,
        partition_assignment_strategy=(RangePartitionAssignor,),
    )
    await first.start()
    second = _Librdkafka(bootstrap, group, topic)
    await _produce(bootstrap, topic, range(300))
    read: list[bytes] = []

    async def step() -> None:
        for records in (await first.getmany(timeout_ms=50)).values():
            read.extend(record.value for record in records)
        await first.commit()
        read.extend(await second.values())

    async with asyncio.timeout(30):
        while len(set(read)) < 300 or not second.partitions() or len(first.assignment()) == _PARTITIONS:
            await step()
        assert second.partitions() | {tp.partition for tp in first.assignment()} == set(range(_PARTITIONS))
        await second.close()
        await _produce(bootstrap, topic, range(300, 400))
        while len(set(read)) < 400:
            for records in (await first.getmany(timeout_ms=50)).values():
                read.extend(record.value for record in records)
    assert set(read) == {b"%d" % value for value in range(400)}
    assert first.assignment() == {TopicPartition(topic, index) for index in range(_PARTITIONS)}
    await first.stop()
    await admin.close()
