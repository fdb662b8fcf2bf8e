"""kill -9 of the broker: what was acknowledged is there afterwards, whatever it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.kafka import Broker, devstack_broker

Name = Callable[[str], str]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A private broker process that the test may kill."""
    broker = devstack_broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


async def _create(bootstrap: str, topic: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, partitions, 1)])
    await admin.close()


async def _all(bootstrap: str, topic: str, partitions: int, isolation: str = "read_uncommitted") -> list[bytes]:
    """Every value of a topic, each partition's in its order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation, enable_auto_commit=False)
    await consumer.start()
    assigned = [TopicPartition(topic, index) for index in range(partitions)]
    consumer.assign(assigned)
    await consumer.seek_to_beginning()
    ends = await consumer.end_offsets(assigned)
    values: list[bytes] = []
    while [partition for partition in assigned if await consumer.position(partition) < ends[partition]]:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            values.extend(record.value for record in records)
    await consumer.stop()
    return values


async def test_acknowledged_records_survive_three_kills_without_doubles(broker: Broker, topic_name: Name) -> None:
    """An idempotent producer writes through three kills: each acknowledged record is there once, in its order."""
    topic = topic_name("kill")
    await _create(broker.bootstrap, topic, 2)
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, acks="all", enable_idempotence=True, request_timeout_ms=20_000, linger_ms=1
    )
    await producer.start()
    acknowledged: list[bytes] = []
    stop = asyncio.Event()

    async def write(partition: int) -> None:
        number = 0
        while not stop.is_set():
            value = b"%d:%d" % (partition, number)
            await producer.send_and_wait(topic, value, partition=partition)
            acknowledged.append(value)
            number += 1

    writers = [asyncio.create_task(write(partition)) for partition in range(2)]
    for _ in range(3):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
    stop.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*writers)
    await producer.stop()
    found = await _all(broker.bootstrap, topic, 2)
    for partition in range(2):
        own = [value for value in found if value.startswith(b"%d:" % partition)]
        assert own == [b"%d:%d" % (partition, number) for number in range(len(own))]
    assert set(acknowledged) <= set(found)
    assert len(acknowledged) > 50


async def test_groups_and_their_offsets_survive(broker: Broker, topic_name: Name) -> None:
    """A member goes on after a kill without a rebalance, from the offset it had committed."""
    topic, group = topic_name("kill"), topic_name("group")
    await _create(broker.bootstrap, topic, 1)
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False, heartbeat_interval_ms=200
    )
    await consumer.start()
    partition = TopicPartition(topic, 0)
    await consumer.commit({partition: 41})
    generation = consumer._coordinator.generation
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    async with asyncio.timeout(30):
        await consumer.commit({partition: 42})
    assert consumer._coordinator.generation == generation
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    assert await consumer.committed(partition) == 42
    await consumer.stop()


@pytest.mark.parametrize("commit", [True, False])
async def test_an_open_transaction_goes_on(broker: Broker, topic_name: Name, commit: bool) -> None:
    """A transaction that was open at the kill is ended by its producer afterwards, records and offsets together."""
    topic, group = topic_name("kill"), topic_name("group")
    await _create(broker.bootstrap, topic, 2)
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=topic_name("tx"))
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"one", partition=0)
    await producer.send_offsets_to_transaction({TopicPartition(topic, 0): 7}, group)
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    async with asyncio.timeout(30):
        await producer.send_and_wait(topic, b"two", partition=1)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()
    committed = await _all(broker.bootstrap, topic, 2, "read_committed")
    assert sorted(committed) == ([b"one", b"two"] if commit else [])
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    offsets = await admin.list_consumer_group_offsets(group)
    await admin.close()
    assert {partition.partition: position.offset for partition, position in offsets.items()} == (
        {0: 7} if commit else {}
    )
