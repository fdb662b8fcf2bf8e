"""Follow doc.upserted: what has become searchable, or is gone. Ends after COUNT events.

consume.py BOOTSTRAP REGISTRY GROUP COUNT
"""

import json
import sys

from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

bootstrap, registry, group, count = sys.argv[1:]
value_of = AvroDeserializer(SchemaRegistryClient({"url": registry}))
consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
consumer.subscribe(["doc.upserted"])
seen = 0
while seen < int(count):
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        sys.exit(str(message.error()))
    event = value_of(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
    # A replayed event tells nothing new: count by event_id, and bill or notify only where this header is absent.
    replayed = any(name == "roggia_replay_job" for name, _ in message.headers() or [])
    fields = {name: event[name] for name in ("event_id", "revision", "deleted", "chunks")}
    print(json.dumps({"key": message.key().decode(), "replayed": replayed} | fields, default=str))
    consumer.commit(message, asynchronous=False)  # after the event is dealt with, never before
    seen += 1
consumer.close()
