"""The private servers that other tests stand on do what they say."""

from __future__ import annotations

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.kafka import Broker


async def _send(broker: Broker, topic: str) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    try:
        return (await producer.send_and_wait(topic, b"x")).offset
    finally:
        await producer.stop()


async def test_apache_kafka_answers(apache_kafka: Broker, topic_name) -> None:
    """A private Apache Kafka takes records on the port that it says."""
    topic = topic_name("kept")
    admin = AIOKafkaAdminClient(bootstrap_servers=apache_kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    assert [await _send(apache_kafka, topic) for _ in range(2)] == [0, 1]


async def test_postgres_hands_out_empty_databases(postgres_dsn: str) -> None:
    """Every test gets a database of its own with nothing in it."""
    connection = await asyncpg.connect(postgres_dsn)
    assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0
    await connection.execute("create table seen (id int)")
    await connection.close()
