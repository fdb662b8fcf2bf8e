"""Topics as code, on both brokers: what `apply` does, what it leaves, what it never touches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.topic_changes import Action
from roggia_schemas import topics
from roggia_schemas.topics import TopicSpec

from tests.support.clients import PATIENCE_S, admin, eventually
from tests.support.kafka import Broker

Name = Callable[[str], str]


def spec(name: str, partitions: int = 2, **config: str) -> TopicSpec:
    """A topic of two partitions; settings have `_` for `.`."""
    named = {setting.replace("_", "."): value for setting, value in config.items()}
    return replace(topics.spec(topics.DOC_UPSERTED), name=name, partitions=partitions, config=named)


async def by_hand(broker: Broker, topic: str, setting: str, value: str) -> None:
    """Set something as an operator does with Kafka's own tools, and wait until the broker shows it."""
    change = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])
    admin(broker.bootstrap).incremental_alter_configs([resource])[resource].result(PATIENCE_S)
    shown = ConfigResource(ResourceType.TOPIC, topic)

    async def there() -> bool:
        return admin(broker.bootstrap).describe_configs([shown])[shown].result(PATIENCE_S)[setting].value == value

    await eventually(f"{setting} is {value}", there)


async def own(kafka: TopicAdmin, topic: str) -> Mapping[str, str]:
    """Settings that were made on the topic."""
    return (await kafka.existing([topic]))[topic].own


async def test_settings_are_mended_and_those_made_by_hand_stay(kafka: Broker, topic_name: Name) -> None:
    """Applying twice changes nothing the second time; what the catalogue does not name is not reset."""
    name = topic_name("mended")
    async with TopicAdmin(KafkaSettings(bootstrap=kafka.bootstrap)) as client:
        first = spec(name, retention_ms="100000", segment_ms="60000")
        assert [one.action for one in await client.apply([first])] == [Action.CREATE]
        await by_hand(kafka, name, "max.message.bytes", "12345")
        await by_hand(kafka, name, "segment.ms", "70000")
        assert [one.action for one in await client.apply([first])] == [Action.ALTER]
        assert await client.apply([first]) == []
        assert await own(client, name) == {
            "retention.ms": "100000",
            "segment.ms": "60000",
            "max.message.bytes": "12345",
        }


async def test_what_could_lose_data_waits_for_the_topics_name(kafka: Broker, topic_name: Name) -> None:
    """The safe part is done, the dangerous one only when the name was typed."""
    name = topic_name("shrunk")
    async with TopicAdmin(KafkaSettings(bootstrap=kafka.bootstrap)) as client:
        await client.apply([spec(name, retention_ms="100000", segment_ms="60000")])
        shorter = spec(name, retention_ms="50000", segment_ms="50000")
        await client.apply([shorter], confirmed=["another"])
        assert await own(client, name) == {"retention.ms": "100000", "segment.ms": "50000"}
        await client.apply([shorter], confirmed=[name])
        assert await own(client, name) == {"retention.ms": "50000", "segment.ms": "50000"}


async def test_partitions_grow_only_when_the_name_was_typed(kafka: Broker, topic_name: Name) -> None:
    """Keys move when a topic grows, so it is never done in passing; fewer partitions are a conflict."""
    name = topic_name("grown")
    async with TopicAdmin(KafkaSettings(bootstrap=kafka.bootstrap)) as client:
        await client.apply([spec(name, 2)])
        assert [one.action for one in await client.apply([spec(name, 3)])] == [Action.GROW]
        assert (await client.existing([name]))[name].partitions == 2
        await client.apply([spec(name, 3)], confirmed=[name])
        assert (await client.existing([name]))[name].partitions == 3
        assert [one.action for one in await client.apply([spec(name, 1)], confirmed=[name])] == [Action.CONFLICT]
