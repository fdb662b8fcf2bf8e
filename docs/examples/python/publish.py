"""Publish one document to Roggia, or delete it, with confluent-kafka and a schema registry.

publish.py BOOTSTRAP REGISTRY TENANT DOMAIN DOC_ID REVISION (FILE | --delete)
"""

import sys
import time
import uuid
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

bootstrap, registry, tenant, domain, doc_id, revision, what = sys.argv[1:]
client = SchemaRegistryClient({"url": registry})
schema = client.get_latest_version("doc.changed-value").schema
# Never register from a publisher: the platform owns the schema.
serializer = AvroSerializer(client, schema, conf={"auto.register.schemas": False, "use.latest.version": True})

now_ms = time.time_ns() // 1_000_000
event = {
    "event_id": str(uuid.uuid4()),  # a retry must send the same id: make it once per change
    "occurred_at": now_ms,
    "tenant_id": tenant,
    "domain": domain,
    "doc_id": doc_id,
    "revision": int(revision),
    "operation": "DELETE",
    "content_type": None,
    "content": None,
    "content_ref": None,
    "title": None,
    "source": None,
    "language": None,
    "acl": [],
    "created_at": None,
    "expires_at": None,
    "metadata": {},
}
if what != "--delete":
    event |= {
        "operation": "UPSERT",
        "content_type": "text/markdown",
        "content": Path(what).read_bytes(),
        "acl": ["staff"],
    }

producer = Producer(
    {
        "bootstrap.servers": bootstrap,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",  # librdkafka's default puts keys elsewhere than Java does
    }
)
failures = []
producer.produce(
    "doc.changed",
    key=f"{tenant}/{doc_id}".encode(),
    value=serializer(event, SerializationContext("doc.changed", MessageField.VALUE)),
    headers=[
        ("ce_specversion", b"1.0"),
        ("ce_type", b"roggia.doc.changed"),
        ("ce_source", b"/example/python"),
        ("ce_id", event["event_id"].encode()),
        ("content-type", b"application/vnd.apache.avro"),
    ],
    on_delivery=lambda error, _message: failures.append(error) if error else None,
)
unsent = producer.flush(30)
if failures or unsent:
    sys.exit(f"not published: {failures or 'no acknowledgement within 30 s'}")
