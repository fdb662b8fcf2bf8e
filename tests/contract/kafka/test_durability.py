"""kill -9 and a clean restart under load: acknowledged records, offsets and transactions are there; on both brokers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka import TopicPartition

from tests.support.clients import consumer, eventually, make_topic, producer, read_all
from tests.support.kafka import Broker

Name = Callable[[str], str]


async def test_killed_broker_comes_back(kafka: Broker, topic_name: Name) -> None:
    """An idempotent producer writes through kill -9: nothing lost or doubled; an open transaction goes on."""
    await _write_through(kafka, topic_name, kafka.kill)


async def test_restarted_devstack_comes_back(devstack: Broker, topic_name: Name) -> None:
    """The same through a clean stop."""
    await _write_through(devstack, topic_name, devstack.stop)


async def _write_through(kafka: Broker, topic_name: Name, end: Callable[[], object]) -> None:
    topic, other = make_topic(kafka.bootstrap, topic_name("load")), make_topic(kafka.bootstrap, topic_name("tx"))
    group, partition = topic_name("g"), TopicPartition(topic, 0)
    async with producer(kafka.bootstrap, transactional_id=topic_name("id"), transaction_timeout_ms=60_000) as held:
        await held.begin_transaction()
        await held.send_and_wait(other, b"first half")
        async with consumer(kafka.bootstrap, group_id=group) as reader:
            reader.assign([partition])
            await reader.commit({partition: 7})
        acknowledged: list[int] = []

        async def load() -> None:
            async with producer(kafka.bootstrap, request_timeout_ms=40_000, retry_backoff_ms=50) as client:
                for number in range(400):
                    await client.send_and_wait(topic, b"%d" % number)
                    acknowledged.append(number)

        loading = asyncio.create_task(load())

        async def under_way() -> bool:
            return len(acknowledged) > 100

        await eventually("some records are acknowledged", under_way)
        await asyncio.to_thread(end)
        await asyncio.to_thread(kafka.start)
        await asyncio.wait_for(loading, 60)
        await held.send_and_wait(other, b"second half")
        await held.commit_transaction()
    assert [record.value for record in await read_all(kafka.bootstrap, topic)] == [b"%d" % n for n in range(400)]
    assert [record.value for record in await read_all(kafka.bootstrap, other)] == [b"first half", b"second half"]
    async with consumer(kafka.bootstrap, group_id=group) as reader:
        assert await reader.committed(partition) == 7
