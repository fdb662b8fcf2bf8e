"""A broker killed while many producers commit: every transaction that was acknowledged is there after a takeover."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from roggia_runtime import clients
from roggia_runtime.consumer.delivery import Transactional
from roggia_runtime.records import Partition
from roggia_runtime.settings import KafkaSettings

from tests.support.clients import make_topic, read_all
from tests.support.kafka import find_java

PRODUCERS, PARTITIONS = 16, 6
BUSY_S = 1.0


@pytest.mark.chaos
@pytest.mark.parametrize("restart", range(6))
async def test_no_acknowledged_transaction_is_lost_to_a_killed_broker(tmp_path: Path, restart: int) -> None:
    """Every record of an acknowledged transaction is visible once the partitions have new owners, none is half."""
    broker = find_java().broker(tmp_path / "broker")
    broker.start()
    settings = KafkaSettings(bootstrap=broker.bootstrap)
    for name, partitions in (("out", PARTITIONS), ("in", PRODUCERS), ("in.dlq", 1)):
        make_topic(broker.bootstrap, name, partitions)
    acknowledged: set[bytes] = set()
    try:
        producing = [asyncio.create_task(_produce(settings, number, acknowledged)) for number in range(PRODUCERS)]
        while not acknowledged:
            await asyncio.sleep(0.02)
        await asyncio.sleep(BUSY_S)
        broker.kill()
        for task in producing:
            task.cancel()
        await asyncio.wait(producing)
        await asyncio.to_thread(broker.start)
        await _take_over(settings)
        seen = Counter(record.value for record in await read_all(broker.bootstrap, "out"))
        committed = await _committed(settings)
    finally:
        broker.kill()
    print(f"restart {restart}: {len(acknowledged)} transactions acknowledged")
    assert (acknowledged - seen.keys(), set(seen.values())) == (set(), {PARTITIONS})
    newest = {number: max(int(count) for who, count in _read(seen) if who == number) for number in range(PRODUCERS)}
    assert committed == newest, "offsets and records became final together"


async def _produce(settings: KafkaSettings, number: int, acknowledged: set[bytes]) -> None:
    """Transactions over all partitions, one after the other, until cancelled: then go away as kill -9 would."""
    client = AIOKafkaProducer(**clients.transactional_producer(settings, f"g-in-{number}"))
    await client.start()
    count = 0
    try:
        while True:
            count += 1
            value = f"{number}:{count}".encode()
            await client.begin_transaction()
            sent = [await client.send("out", value, partition=partition) for partition in range(PARTITIONS)]
            await asyncio.gather(*sent)
            await client.send_offsets_to_transaction({TopicPartition("in", number): count}, "g")
            await client.commit_transaction()
            acknowledged.add(value)
    finally:
        with suppress(asyncio.CancelledError):
            await client.client.close()
        client._closed = True
        client._sender.sender_task.cancel()


def _read(seen: Counter[bytes]) -> list[tuple[int, int]]:
    return [(int(who), int(count)) for who, _, count in (value.decode().partition(":") for value in seen)]


async def _committed(settings: KafkaSettings) -> dict[int, int | None]:
    client = AIOKafkaConsumer(bootstrap_servers=settings.bootstrap, group_id="g", enable_auto_commit=False)
    await client.start()
    try:
        return {number: await client.committed(TopicPartition("in", number)) for number in range(PRODUCERS)}
    finally:
        await client.stop()


async def _take_over(settings: KafkaSettings) -> None:
    finisher = Transactional(settings, "g", ["out"])
    await finisher.assigned([Partition("in", number) for number in range(PRODUCERS)])
    await finisher.stop()
