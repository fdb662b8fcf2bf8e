"""A compacted topic as a table: complete at the start, current afterwards, as nulls and unreadable records leave it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import UnavailableError
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output
from roggia_runtime.settings import RegistrySettings
from roggia_runtime.tables import Table
from roggia_schemas.events import TenantConfig

from tests.support.kafka import Broker
from tests.support.loops import make_topics, settings, until
from tests.support.tenants import config

Names = Callable[[str], str]


async def send(kafka: Broker, *outputs: Output) -> None:
    """Produce and wait."""
    producer = Producer(settings(kafka.bootstrap))
    await producer.start()
    await producer.send_all(outputs)
    await producer.stop()


async def test_a_table_holds_the_newest_event_of_every_key_and_follows(devstack: Broker, topic_name: Names) -> None:
    """`start` returns with everything written before; later records change it, nulls remove, junk changes nothing."""
    topic = topic_name("config")
    await make_topics(devstack.bootstrap, 2, topic)
    codec = EventCodec(RegistrySettings(), source="test")

    def row(tenant: str, days: int) -> Output:
        return codec.output(topic, config(tenant, retention_days=days))

    await send(devstack, row("acme", 1), row("acme", 2), row("gone", 1), Output(topic, b"gone", None))
    table = Table(settings(devstack.bootstrap), codec, topic, TenantConfig)
    told: list[str] = []
    table.tell(lambda key, event: told.append(f"{key} {event.retention_days if event else None}"))
    await table.start()
    acme = table.get("acme")
    assert acme is not None
    assert (acme.retention_days, table.get("gone"), table.health()) == (2, None, [])
    work = asyncio.create_task(table.run())
    await send(devstack, Output(topic, b"acme", b"junk"), row("acme", 3), row("new", 9))
    await until(lambda: {"acme 3", "new 9"} <= set(told))
    table.stop()
    await asyncio.wait_for(work, 10)
    assert {key: event.retention_days for key, event in table.rows.items()} == {"acme": 3, "new": 9}


async def test_a_table_that_is_read_again_does_not_go_back(devstack: Broker, topic_name: Names) -> None:
    """While it is read again, as after Kafka was away, no row says what it said before; what went meanwhile is told."""
    topic = topic_name("config")
    await make_topics(devstack.bootstrap, 1, topic)
    codec = EventCodec(RegistrySettings(), source="test")

    def row(tenant: str, days: int) -> Output:
        return codec.output(topic, config(tenant, retention_days=days))

    await send(devstack, *[row("acme", days) for days in range(1, 6)], row("gone", 1))
    table = Table(settings(devstack.bootstrap), codec, topic, TenantConfig)
    told: list[tuple[str, int | None]] = []
    table.tell(lambda key, event: told.append((key, event.retention_days if event else None)))
    await table.start()
    assert sorted(told) == [("acme", 5), ("gone", 1)]
    held = table.rows
    await send(devstack, Output(topic, b"gone", None), row("new", 7))
    told.clear()
    await table.start()
    assert sorted(told, key=str) == [("gone", None), ("new", 7)]
    assert {key: event.retention_days for key, event in held.items()} == {"acme": 5, "new": 7}


async def test_a_table_is_sound_again_once_kafka_answers_again(devstack: Broker, topic_name: Names) -> None:
    """Also when no new record comes: what went wrong is over."""
    topic = topic_name("config")
    await make_topics(devstack.bootstrap, 1, topic)
    codec = EventCodec(RegistrySettings(), source="test")
    await send(devstack, codec.output(topic, config("acme")))
    table = Table(settings(devstack.bootstrap), codec, topic, TenantConfig)
    await table.start()
    table._note(UnavailableError("Kafka is away"))
    assert "Kafka is away" in str(table.health())
    work = asyncio.create_task(table.run())
    await until(lambda: table.health() == [])
    table.stop()
    await asyncio.wait_for(work, 10)


async def test_a_topic_that_comes_later_is_read_then(devstack: Broker, topic_name: Names) -> None:
    """Without its topic a table is empty; once the topic is there, it is filled."""
    topic = topic_name("config")
    codec = EventCodec(RegistrySettings(), source="test")
    table = Table(settings(devstack.bootstrap), codec, topic, TenantConfig)
    await table.start()
    assert not table.rows
    work = asyncio.create_task(table.run())
    await make_topics(devstack.bootstrap, 1, topic)
    await send(devstack, codec.output(topic, config("acme")))
    await until(lambda: table.get("acme") is not None)
    table.stop()
    await asyncio.wait_for(work, 10)
