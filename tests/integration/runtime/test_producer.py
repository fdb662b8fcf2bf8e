"""The producer on a broker that has lost the thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import TopicPartition
from roggia_runtime.errors import MissingTopicError, ProduceError
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output

from tests.support.kafka import Broker
from tests.support.loops import make_topics, settings

Names = Callable[[str], str]


async def test_a_broken_sequence_costs_one_failure(kafka: Broker, topic_name: Names) -> None:
    """A client whose records the broker refuses for good, since one before them is missing, is replaced: the next sends
    arrive, also several at once."""
    topic = topic_name("served")
    await make_topics(kafka.bootstrap, 1, topic)
    producer = Producer(settings(kafka.bootstrap))
    await producer.start()
    try:
        await producer.send(Output(topic, b"k", b"first"))
        client = producer._client
        assert client is not None
        client._txn_manager.increment_sequence_number(TopicPartition(topic, 0), 7)
        with pytest.raises(ProduceError, match="OutOfOrderSequenceNumber"):
            await producer.send(Output(topic, b"k", b"after a gap"))
        places = await asyncio.gather(*(producer.send(Output(topic, b"k", b"again")) for _ in range(3)))
        assert sorted(places) == [(0, 1), (0, 2), (0, 3)]
        assert producer._client is not client
    finally:
        await producer.stop()


async def test_a_refusal_that_any_client_would_get_renews_nothing(devstack: Broker, topic_name: Names) -> None:
    """A topic that does not exist is no fault of the client's."""
    producer = Producer(settings(devstack.bootstrap))
    await producer.start()
    try:
        client = producer._client
        with pytest.raises(MissingTopicError):
            await producer.send(Output(topic_name("nowhere"), b"k", b"v"))
        assert producer._spent is None
        assert producer._client is client
    finally:
        await producer.stop()
