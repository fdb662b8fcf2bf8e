"""Transactions: atomic, isolated, fenced, bounded in time; on devstack and on Apache Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced
from confluent_kafka import KafkaException, Producer

from tests.support.clients import consumer, eventually, make_topic, producer, read_all, send
from tests.support.kafka import Broker

Name = Callable[[str], str]


async def _values(broker: Broker, topic: str, *, committed: bool = True) -> list[bytes]:
    return [record.value for record in await read_all(broker.bootstrap, topic, committed=committed)]


async def test_commit_and_abort(kafka: Broker, topic_name: Name) -> None:
    """read_committed sees committed transactions over several topics, never aborted ones; read_uncommitted sees all."""
    one, two = (make_topic(kafka.bootstrap, topic_name(name), 2) for name in ("one", "two"))
    async with producer(kafka.bootstrap, transactional_id=topic_name("tx")) as client:
        for number, commit in enumerate([True, False, True]):
            await client.begin_transaction()
            for topic in (one, two):
                for partition in (0, 1):
                    await client.send(topic, b"%d" % number, partition=partition)
            await (client.commit_transaction() if commit else client.abort_transaction())
    for topic in (one, two):
        assert sorted(await _values(kafka, topic)) == [b"0", b"0", b"2", b"2"]
        assert sorted(await _values(kafka, topic, committed=False)) == [b"0", b"0", b"1", b"1", b"2", b"2"]


async def test_open_transaction_holds_back_readers(kafka: Broker, topic_name: Name) -> None:
    """Nothing after the first record of an open transaction is read as committed, not even a plain record."""
    topic = make_topic(kafka.bootstrap, topic_name("open"))
    async with producer(kafka.bootstrap, transactional_id=topic_name("tx")) as client:
        await send(kafka.bootstrap, topic, [b"before"])
        await client.begin_transaction()
        await client.send_and_wait(topic, b"inside")
        await send(kafka.bootstrap, topic, [b"after"])
        assert await _values(kafka, topic) == [b"before"]
        await client.commit_transaction()

        async def all_seen() -> bool:
            return await _values(kafka, topic) == [b"before", b"inside", b"after"]

        await eventually("all records once the transaction is over", all_seen)


async def test_zombie_is_fenced(kafka: Broker, topic_name: Name) -> None:
    """A second producer with the same id ends the first one's transaction; the first can neither send nor commit."""
    topic, tx = make_topic(kafka.bootstrap, topic_name("fence")), topic_name("tx")
    async with producer(kafka.bootstrap, transactional_id=tx) as zombie:
        await zombie.begin_transaction()
        await zombie.send_and_wait(topic, b"zombie")
        async with producer(kafka.bootstrap, transactional_id=tx) as heir:
            await heir.begin_transaction()
            await heir.send_and_wait(topic, b"heir")
            await heir.commit_transaction()
        with pytest.raises(ProducerFenced):
            await zombie.send_and_wait(topic, b"zombie again")
            await zombie.commit_transaction()
    assert await _values(kafka, topic) == [b"heir"]


@pytest.mark.parametrize("commit", [True, False])
async def test_offsets_in_a_transaction(kafka: Broker, topic_name: Name, commit: bool) -> None:
    """Offsets sent with a transaction count when it commits and are forgotten when it aborts."""
    source, target = (make_topic(kafka.bootstrap, topic_name(name)) for name in ("source", "target"))
    group, partition = topic_name("g"), TopicPartition(source, 0)
    await send(kafka.bootstrap, source, [b"a", b"b"])
    async with producer(kafka.bootstrap, transactional_id=topic_name("tx")) as client:
        await client.begin_transaction()
        await client.send(target, b"out")
        await client.send_offsets_to_transaction({partition: 2}, group)
        await (client.commit_transaction() if commit else client.abort_transaction())
    async with consumer(kafka.bootstrap, group_id=group) as reader:

        async def settled() -> bool:
            return await reader.committed(partition) == (2 if commit else None)

        await eventually("the offset follows the transaction", settled)
    assert await _values(kafka, target) == ([b"out"] if commit else [])


async def test_timeout_aborts(kafka: Broker, topic_name: Name) -> None:
    """A transaction past its timeout is aborted by the broker: readers go on, its producer cannot commit."""
    topic = make_topic(kafka.bootstrap, topic_name("slow"))
    async with producer(kafka.bootstrap, transactional_id=topic_name("tx"), transaction_timeout_ms=1000) as client:
        await client.begin_transaction()
        await client.send_and_wait(topic, b"slow")
        await send(kafka.bootstrap, topic, [b"later"])

        async def aborted() -> bool:
            return await _values(kafka, topic) == [b"later"]

        await eventually("the overdue transaction is aborted", aborted)
        with pytest.raises(KafkaError):
            await client.commit_transaction()
    assert await _values(kafka, topic) == [b"later"]


async def test_librdkafka_transactions(kafka: Broker, topic_name: Name) -> None:
    """librdkafka's transactional producer commits, aborts, and is fenced by a newer one."""
    topic, tx = make_topic(kafka.bootstrap, topic_name("rd")), topic_name("tx")

    def work() -> list[bool]:
        settings = {"bootstrap.servers": kafka.bootstrap, "transactional.id": tx, "log_level": 0}
        first = Producer(settings)
        first.init_transactions(10)
        for value, commit in [(b"kept", True), (b"dropped", False)]:
            first.begin_transaction()
            first.produce(topic, value)
            first.flush(10)
            (first.commit_transaction if commit else first.abort_transaction)(10)
        second = Producer(settings)
        second.init_transactions(10)
        first.begin_transaction()
        first.produce(topic, b"zombie")
        try:
            first.commit_transaction(10)
        except KafkaException as error:
            return [error.args[0].fatal()]
        return [False]

    assert await asyncio.to_thread(work) == [True]
    assert await _values(kafka, topic) == [b"kept"]


async def test_readers_and_aborted_batches_in_compressions(kafka: Broker, topic_name: Name) -> None:
    """Many small transactions of three producers, interleaved: exactly the committed records are read, in order."""
    topic = make_topic(kafka.bootstrap, topic_name("many"))
    codecs = [None, "lz4", "zstd"]

    async def work(number: int) -> list[bytes]:
        mine = []
        options = {"transactional_id": topic_name("tx"), "compression_type": codecs[number]}
        async with producer(kafka.bootstrap, **options) as client:
            for turn in range(12):
                await client.begin_transaction()
                values = [b"%d-%d-%d" % (number, turn, n) for n in range(3)]
                for value in values:
                    await client.send(topic, value)
                if turn % 3 == number:
                    await client.abort_transaction()
                else:
                    await client.commit_transaction()
                    mine += values
        return mine

    expected = await asyncio.gather(*(work(number) for number in range(3)))
    seen = await _values(kafka, topic)
    assert sorted(seen) == sorted(value for values in expected for value in values)
    for number in range(3):
        assert [value for value in seen if value.startswith(b"%d-" % number)] == expected[number]
