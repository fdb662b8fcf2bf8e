"""Groups that stand where a test wants them: commits without consuming, and members that hold partitions."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from roggia_runtime import replay

REPLAYED = [(replay.JOB, b"job-1")]


async def commit(bootstrap: str, group: str, offsets: dict[tuple[str, int], int]) -> None:
    """Commit offsets for a group without members."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        places = {TopicPartition(*where): offset for where, offset in offsets.items()}
        consumer.assign(list(places))
        await consumer.commit(places)
    finally:
        await consumer.stop()


async def put(
    bootstrap: str,
    topic: str,
    ages_s: Sequence[float],
    *,
    partition: int = 0,
    replayed: Sequence[bool] = (),
    size: int = 1,
) -> None:
    """Produce one record per age, whose timestamp lies so many seconds back; some carry a replay's header."""
    now = time.time()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=32 << 20) as producer:
        for number, age in enumerate(ages_s):
            headers = REPLAYED if number < len(replayed) and replayed[number] else []
            await producer.send_and_wait(
                topic, b"x" * size, b"k%d" % number, partition, timestamp_ms=int((now - age) * 1000), headers=headers
            )


async def put_transaction(bootstrap: str, topic: str, values: int, *, abort: bool = False) -> None:
    """Produce records to partition 0 in one transaction, which leaves a marker behind them."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"tx-{topic}") as producer:
        await producer.begin_transaction()
        for _ in range(values):
            await producer.send(topic, b"v", b"k", 0)
        await (producer.abort_transaction() if abort else producer.commit_transaction())


@asynccontextmanager
async def member(bootstrap: str, group: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A member of a group that owns everything and consumes nothing by itself."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
