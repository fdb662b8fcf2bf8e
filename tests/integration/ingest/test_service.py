"""The service as `app.build` makes it, on a broker of its own: records in, chunk sets and dead letters out."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import SecretStr
from roggia_ingest.app import build
from roggia_ingest.settings import IngestOptions, IngestSettings
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output, Record
from roggia_runtime.settings import HttpSettings, KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import DocChunked

from tests.support import clients, ingesting
from tests.support.fleet import apply_topics
from tests.support.ingesting import change
from tests.support.processes import ServerProcess


def output(record: Record) -> Output:
    """What a publisher sends for a record."""
    return Output(record.topic, record.key or b"", record.value, record.headers)


async def test_updates_nulls_expiry_and_poison_end_where_they_should(own_broker: ServerProcess, tmp_path: Path) -> None:
    """HTML goes through a worker process, a null and a past expiry become deletions, an empty acl a dead letter."""
    kafka = KafkaSettings(bootstrap=own_broker.bootstrap)
    await apply_topics(kafka)
    catalogue = SecretStr(f"sqlite:///{tmp_path / 'catalogue.sqlite3'}")
    options = IngestOptions(catalogue=catalogue, expiry_interval_s=0.2)
    service = build(IngestSettings(kafka=kafka, http=HttpSettings(port=0), ingest=options))
    running = asyncio.create_task(service.run())
    page = b"<html><main><h1>B</h1><p>Water turns the wheel.</p></main></html>"
    events = [
        ingesting.record(change("a", 1), 0),
        ingesting.record(change("b", 1, content_type="text/html", content=page, expires_at=1_700_000_000_000), 0),
        ingesting.record(change("c", 1, acl=()), 0),
        ingesting.record(None, 0, doc_id="a"),
    ]
    await publish(kafka, [output(event) for event in events])
    topic = topics.doc_chunked(1)

    async def arrived() -> bool:
        return len(await clients.read_all(own_broker.bootstrap, topic)) >= 4 or running.done()

    await clients.eventually("four chunk sets", arrived)
    got = [decoded(record.value) for record in await clients.read_all(own_broker.bootstrap, topic)]
    (dead,) = await clients.read_all(own_broker.bootstrap, topics.dlq(topics.DOC_CHANGED))
    service.stop()
    await running
    versions = [(event.doc_id, event.revision, event.epoch, event.deleted) for event in got]
    assert sorted(versions) == [("a", 1, 0, False), ("a", 1, 1, True), ("b", 1, 0, False), ("b", 1, 1, True)]
    assert [event.chunks[0].text for event in got if event.doc_id == "b" and event.chunks] == [
        "# B\n\nWater turns the wheel."
    ]
    assert dead.value == events[2].value
    assert dict(dead.headers)["__dlq.errors.message"].startswith(b"acl: ")


async def publish(kafka: KafkaSettings, outputs: list[Output]) -> None:
    """Send, in order, and wait for the broker's acknowledgements."""
    producer = Producer(kafka)
    await producer.start()
    for one in outputs:
        await producer.send(one)
    await producer.stop()


def decoded(value: bytes) -> DocChunked:
    """The event in a value."""
    return ingesting.decoded(Output("", b"", value))
