"""Consumer groups: sharing, leaving, dying, committing; on devstack and on Apache Kafka."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import OFFSET_INVALID, Consumer
from confluent_kafka import TopicPartition as ConfluentPartition

from tests.support.clients import PATIENCE_S, admin, consumer, eventually, make_topic, send
from tests.support.kafka import Broker

Name = Callable[[str], str]
QUICK = {"session_timeout_ms": 6000, "heartbeat_interval_ms": 200, "max_poll_interval_ms": 10_000}


async def _polls(client: AIOKafkaConsumer) -> None:
    while True:
        await client.getmany(timeout_ms=100)


async def test_members_share_and_take_over(kafka: Broker, topic_name: Name) -> None:
    """Two members of one group split the partitions; when one leaves, the other gets all."""
    topic, group = make_topic(kafka.bootstrap, topic_name("shared"), 4), topic_name("g")
    async with consumer(kafka.bootstrap, topic, group_id=group, **QUICK) as first:
        async with consumer(kafka.bootstrap, topic, group_id=group, **QUICK) as second:

            async def split() -> bool:
                return len(first.assignment()) == len(second.assignment()) == 2

            await eventually("two partitions each", split)
            assert not first.assignment() & second.assignment()

        async def alone() -> bool:
            return len(first.assignment()) == 4

        await eventually("all partitions for the one left", alone)


async def test_group_is_listed_and_described(kafka: Broker, topic_name: Name) -> None:
    """Admin clients see the group, its state and its members; a group without members can be deleted."""
    topic, group = make_topic(kafka.bootstrap, topic_name("seen"), 2), topic_name("g")
    client = admin(kafka.bootstrap)
    async with consumer(kafka.bootstrap, topic, group_id=group, client_id="watcher", **QUICK) as member:
        await member.commit({TopicPartition(topic, 0): 0})
        described = client.describe_consumer_groups([group])[group].result(PATIENCE_S)
        assert described.state.name == "STABLE"
        assert [entry.client_id for entry in described.members] == ["watcher"]
        listed = client.list_consumer_groups().result(PATIENCE_S)
        assert group in [entry.group_id for entry in listed.valid]
    client.delete_consumer_groups([group])[group].result(PATIENCE_S)
    listed = client.list_consumer_groups().result(PATIENCE_S)
    assert group not in [entry.group_id for entry in listed.valid]


async def test_a_dead_member_is_replaced(kafka: Broker, topic_name: Name) -> None:
    """A member that is killed loses its partitions when its session is over."""
    topic, group = make_topic(kafka.bootstrap, topic_name("dead"), 2), topic_name("g")
    program = f"""
from confluent_kafka import OFFSET_INVALID, Consumer
from confluent_kafka import TopicPartition as ConfluentPartition
c = Consumer({{"bootstrap.servers": "{kafka.bootstrap}", "group.id": "{group}", "session.timeout.ms": 2000}})
c.subscribe(["{topic}"])
while True:
    c.poll(0.1)
    if c.assignment():
        print("assigned", flush=True)
"""
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    try:
        assert victim.stdout is not None
        assert await victim.stdout.readline() == b"assigned\n"
    finally:
        victim.kill()
        await victim.wait()
    async with consumer(kafka.bootstrap, topic, group_id=group, **QUICK) as heir:

        async def inherited() -> bool:
            return len(heir.assignment()) == 2

        await eventually("the dead member's partitions", inherited)


async def test_commits_are_kept_per_partition(kafka: Broker, topic_name: Name) -> None:
    """Committed offsets come back to either client, in that group only; a commit may carry a note."""
    topic, group = make_topic(kafka.bootstrap, topic_name("commit"), 2), topic_name("g")
    zero, one = TopicPartition(topic, 0), TopicPartition(topic, 1)
    await send(kafka.bootstrap, topic, [b"x"] * 7)
    async with consumer(kafka.bootstrap, topic, group_id=group, **QUICK) as member:
        await member.commit({zero: 5})
        assert await member.committed(zero) == 5
        assert await member.committed(one) is None
    async with consumer(kafka.bootstrap, topic, group_id=group, **QUICK) as member:
        record = await asyncio.wait_for(member.getone(), PATIENCE_S)
        assert record.offset == 5
    partitions = [ConfluentPartition(topic, number) for number in (0, 1)]
    for name, offsets in [(group, [5, OFFSET_INVALID]), (topic_name("other"), [OFFSET_INVALID] * 2)]:
        other = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": name})
        assert [found.offset for found in other.committed(partitions, timeout=10)] == offsets
        other.close()
    async with consumer(kafka.bootstrap, topic, group_id=group, **QUICK) as member:
        await member.commit({one: OffsetAndMetadata(3, "a note")})
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    try:
        stored = await client.list_consumer_group_offsets(group)
    finally:
        await client.close()
    assert stored[one] == OffsetAndMetadata(3, "a note")
    assert stored[zero].offset == 5


async def test_a_member_of_an_old_generation_cannot_commit(kafka: Broker, topic_name: Name) -> None:
    """Who missed a rebalance is told so at its commit, and the offset stays."""
    topic, group = make_topic(kafka.bootstrap, topic_name("old"), 1), topic_name("g")
    partition, options = TopicPartition(topic, 0), {**QUICK, "session_timeout_ms": 1500}
    async with consumer(kafka.bootstrap, topic, group_id=group, **options) as member:
        await member.commit({partition: 1})
        coordinator = member._coordinator
        generation, coordinator.generation = coordinator.generation, coordinator.generation - 1
        try:
            with pytest.raises(CommitFailedError):
                await member.commit({partition: 2})
        finally:
            coordinator.generation = generation

        async def kept() -> bool:
            return await member.committed(partition) == 1

        await eventually("the first commit is what counts", kept)


async def test_group_of_both_clients(kafka: Broker, topic_name: Name) -> None:
    """A member of each client library, one group: they share the partitions."""
    topic, group = make_topic(kafka.bootstrap, topic_name("mixed"), 2), topic_name("g")
    other = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": group,
            "partition.assignment.strategy": "roundrobin",
            "auto.offset.reset": "earliest",
        }
    )
    other.subscribe([topic])

    async def poll_other() -> None:
        while True:
            await asyncio.to_thread(other.poll, 0.05)

    # Either member joins again only while it polls, so both do all the time.
    pumps = [asyncio.create_task(poll_other())]
    options = {**QUICK, "partition_assignment_strategy": (RoundRobinPartitionAssignor,)}
    try:
        async with consumer(kafka.bootstrap, topic, group_id=group, **options) as member:
            pumps.append(asyncio.create_task(_polls(member)))

            async def split() -> bool:
                return len(member.assignment()) == len(other.assignment()) == 1

            await eventually("one partition each", split)
            await _stop(pumps)
    finally:
        await _stop(pumps)
        await asyncio.to_thread(other.close)


async def _stop(pumps: list[asyncio.Task[None]]) -> None:
    for pump in pumps:
        pump.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
