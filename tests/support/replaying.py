"""Helpers for tests of replay: documents on a topic, the operator as a process, jobs asked for and waited for."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from roggia_operator.jobs.client import JobClient, Request
from roggia_operator.jobs.table import Job
from roggia_operator.replay.selection import Selection, selected
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.ids import uuid7
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output, Record
from roggia_runtime.settings import KafkaSettings, RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, JobKind, JobStatus, Operation

from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.loops import settings
from tests.support.processes import ServerProcess, free_port


def document(doc_id: str, revision: int = 1, *, tenant: str = "acme", domain: str = "kb", text: str = "") -> DocChanged:
    """A small document."""
    return DocChanged(
        event_id=uuid7(),
        occurred_at=1_700_000_000_000 + revision,
        tenant_id=tenant,
        domain=domain,
        doc_id=doc_id,
        revision=revision,
        operation=Operation.UPSERT,
        content_type="text/plain",
        content=(text or f"{doc_id} at {revision}").encode(),
        acl=("*",),
    )


def codec() -> EventCodec:
    """A codec with the bundled schemas."""
    return EventCodec(RegistrySettings(), source="test")


def output(event: DocChanged) -> Output:
    """The record of a document."""
    return codec().output(topics.DOC_CHANGED, event)


async def publish(kafka: KafkaSettings, events: Iterable[DocChanged]) -> None:
    """Put documents on doc.changed and wait until they are there."""
    made = codec()
    await produce(kafka, [made.output(topics.DOC_CHANGED, event) for event in events])


async def produce(kafka: KafkaSettings, outputs: Sequence[Output]) -> None:
    """Produce and wait for the acknowledgements."""
    producer = Producer(kafka, "test")
    await producer.start()
    try:
        await producer.deliver(outputs)
    finally:
        await producer.stop()


async def records(kafka: KafkaSettings, topic: str) -> list[Record]:
    """Every committed record, by partition and offset."""
    async with TopicAdmin(kafka) as admin:
        return [r for number in sorted(await admin.end_offsets(topic)) async for r in admin.read(topic, number, 0)]


class Operator(ServerProcess):
    """One operator service as a process, with short sessions."""

    def __init__(self, broker: Broker, log: Path, **environment: str) -> None:
        port = free_port()
        base = {
            "ROGGIA_KAFKA_BOOTSTRAP": broker.bootstrap,
            "ROGGIA_KAFKA_SESSION_TIMEOUT_MS": "2000",
            "ROGGIA_KAFKA_HEARTBEAT_INTERVAL_MS": "300",
            "ROGGIA_KAFKA_REQUEST_TIMEOUT_MS": "10000",
            "ROGGIA_HTTP_PORT": str(port),
            "ROGGIA_OPERATOR_CONSOLE_PORT": "0",
        }
        super().__init__([sys.executable, "-m", "roggia_operator"], port, log, base | environment)


@asynccontextmanager
async def ready(broker: Broker) -> AsyncIterator[tuple[KafkaSettings, JobClient]]:
    """Topics made; settings and a client for jobs."""
    kafka = settings(broker.bootstrap)
    await apply_topics(kafka)
    async with JobClient(kafka, codec()) as client:
        yield kafka, client


async def ask(client: JobClient, selection: Selection, **rates: float) -> str:
    """Ask for a replay job; its id."""
    return await client.submit(Request(JobKind.REPLAY, selected(selection).as_json(), rates))


async def reached(client: JobClient, job_id: str, *wanted: JobStatus, sent: int = 0, timeout_s: float = 40.0) -> Job:
    """Wait until a job has one of the statuses and has sent that much; the job. Fails at the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        job = await client.get(job_id)
        if job.status in wanted and counts(job).get("sent", 0) >= sent:
            return job
        assert not job.ended, f"{job_id} ended: {job.status} {job.state and job.state.message} {counts(job)}"
        assert time.monotonic() < deadline, f"{job_id} is {job.status}, {counts(job)}, not {wanted}"
        await asyncio.sleep(0.05)


def counts(job: Job) -> Mapping[str, int]:
    """What a job has done so far."""
    return job.state.counts if job.state else {}
