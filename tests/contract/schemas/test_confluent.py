"""confluent-kafka's own Avro serdes read what we write and write what we read, by prefix and by header."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from roggia_schemas import bundled, framing, topics
from roggia_schemas.codec import Codec

from tests.support.events import NAMES, example, plain

STRATEGY = {"subject.name.strategy.type": "TOPIC"}


class Registered:
    """confluent-kafka's in-memory registry with one event registered, and our codec with its id."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.topic = next(file for file in topics.files() if file.event == name).topic.format(generation=1)
        self.client = SchemaRegistryClient.new_client({"url": "mock://"})
        schema = Schema(bundled.schema_text(name).strip(), "AVRO")
        self.id = self.client.register_schema(bundled.subject(self.topic), schema)
        self.guid = self.client.lookup_schema(bundled.subject(self.topic), schema).guid
        self.codec = Codec({name: self.id})
        self.context = SerializationContext(self.topic, MessageField.VALUE, [])


@pytest.fixture(params=NAMES)
def registered(request: pytest.FixtureRequest) -> Registered:
    """A registry with one event in it."""
    return Registered(request.param)


def test_confluent_reads_ours(registered: Registered) -> None:
    """Their deserializer gives the fields that we put in, logical types as their Python values."""
    event = example(registered.name)
    read = AvroDeserializer(registered.client, conf=STRATEGY)(registered.codec.encode(event), registered.context)
    assert _plain(read) == plain(event)


def test_we_read_confluents(registered: Registered) -> None:
    """Our decoder gives the event that their serializer wrote, and both wrote the same bytes."""
    event = example(registered.name)
    conf = STRATEGY | {"auto.register.schemas": False}
    serialize = AvroSerializer(registered.client, bundled.schema_text(registered.name), conf=conf)
    value = serialize(plain(event), registered.context)
    assert registered.codec.decode(type(event), value) == event
    assert value == registered.codec.encode(event)


def test_we_read_confluents_header_framing(registered: Registered) -> None:
    """Their header serializer sends the schema's GUID in a header and no prefix: read once the GUID is learnt."""
    from confluent_kafka.schema_registry import header_schema_id_serializer

    event = example(registered.name)
    conf = STRATEGY | {"auto.register.schemas": False, "schema.id.serializer": header_schema_id_serializer}
    serialize = AvroSerializer(registered.client, bundled.schema_text(registered.name), conf=conf)
    value = serialize(plain(event), registered.context)
    headers = tuple(registered.context.headers)
    assert headers[0][0] == framing.HEADER
    registered.codec.learn_guid(str(registered.guid), bundled.schema_text(registered.name))
    assert registered.codec.decode(type(event), value, headers) == event


def _plain(value: Any) -> Any:
    """Their logical values as ours: UUIDs as text, times as milliseconds."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if hasattr(value, "timestamp"):
        return round(value.timestamp() * 1000)
    return str(value) if hasattr(value, "hex") and hasattr(value, "urn") else value
