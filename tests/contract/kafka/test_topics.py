"""Topics and their settings, asked by both clients' admin parts; once on devstack, once on Apache Kafka."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from tests.support.clients import PATIENCE_S, admin, eventually, make_topic
from tests.support.kafka import Broker

Name = Callable[[str], str]


def test_created_topics_are_listed(kafka: Broker, topic_name: Name) -> None:
    """A topic has the partitions that were asked for, with one replica each."""
    topic = make_topic(kafka.bootstrap, topic_name("made"), 5)
    found = admin(kafka.bootstrap).list_topics(timeout=10).topics[topic]
    assert sorted(found.partitions) == [0, 1, 2, 3, 4]
    assert {len(partition.replicas) for partition in found.partitions.values()} == {1}


@pytest.mark.parametrize(
    ("name", "partitions", "config", "code"),
    [
        ("bad name", 1, {}, KafkaError.TOPIC_EXCEPTION),
        ("zero", 0, {}, KafkaError.INVALID_PARTITIONS),
        ("setting", 1, {"retention.ms": "soon"}, KafkaError.INVALID_CONFIG),
    ],
)
def test_refused_topics(
    kafka: Broker, topic_name: Name, name: str, partitions: int, config: dict[str, str], code: int
) -> None:
    """A bad name, number or setting is refused with Kafka's error, and no topic is made."""
    topic = topic_name(name)
    with pytest.raises(KafkaException) as refused:
        admin(kafka.bootstrap).create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(PATIENCE_S)
    assert refused.value.args[0].code() == code
    assert topic not in admin(kafka.bootstrap).list_topics(timeout=10).topics


def test_existing_topic_is_refused(kafka: Broker, topic_name: Name) -> None:
    """Creating a topic twice is an error of its own."""
    topic = make_topic(kafka.bootstrap, topic_name("twice"))
    with pytest.raises(KafkaException) as refused:
        make_topic(kafka.bootstrap, topic)
    assert refused.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS


async def test_deleted_topics_are_gone(kafka: Broker, topic_name: Name) -> None:
    """A deleted topic is not listed; made again, it is empty and has an id of its own."""
    topic = make_topic(kafka.bootstrap, topic_name("gone"))
    client = admin(kafka.bootstrap)
    client.delete_topics([topic])[topic].result(PATIENCE_S)

    async def gone() -> bool:
        return topic not in client.list_topics(timeout=10).topics

    await eventually("the topic is gone", gone)
    with pytest.raises(KafkaException) as unknown:
        client.delete_topics([topic])[topic].result(PATIENCE_S)
    assert unknown.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    make_topic(kafka.bootstrap, topic)


def test_settings_are_described_and_altered(kafka: Broker, topic_name: Name) -> None:
    """What was set is told with its source, defaults too; one setting can be changed without the others."""
    topic = make_topic(kafka.bootstrap, topic_name("set"), cleanup_policy="compact", retention_ms="12345")
    client, resource = admin(kafka.bootstrap), ConfigResource(ResourceType.TOPIC, topic)
    before = client.describe_configs([resource])[resource].result(PATIENCE_S)
    assert before["cleanup.policy"].value == "compact"
    assert (before["retention.ms"].value, before["retention.ms"].is_default) == ("12345", False)
    assert (before["delete.retention.ms"].value, before["delete.retention.ms"].is_default) == ("86400000", True)
    change = ConfigEntry("retention.ms", "999", incremental_operation=AlterConfigOpType.SET)
    altered = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])
    client.incremental_alter_configs([altered])[altered].result(PATIENCE_S)
    after = client.describe_configs([resource])[resource].result(PATIENCE_S)
    assert (after["retention.ms"].value, after["cleanup.policy"].value) == ("999", "compact")


def test_partitions_can_be_added(kafka: Broker, topic_name: Name) -> None:
    """A topic can grow, never shrink."""
    topic = make_topic(kafka.bootstrap, topic_name("grow"), 1)
    client = admin(kafka.bootstrap)
    client.create_partitions([NewPartitions(topic, 3)])[topic].result(PATIENCE_S)
    with pytest.raises(KafkaException) as refused:
        client.create_partitions([NewPartitions(topic, 2)])[topic].result(PATIENCE_S)
    assert refused.value.args[0].code() == KafkaError.INVALID_PARTITIONS


async def test_aiokafka_admin(kafka: Broker, topic_name: Name) -> None:
    """aiokafka's admin client lists and describes topics."""
    topic = make_topic(kafka.bootstrap, topic_name("aio"), 2)
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    try:
        assert topic in await client.list_topics()
        described = await client.describe_topics([topic])
        assert [len(entry["partitions"]) for entry in described] == [2]
    finally:
        await client.close()
