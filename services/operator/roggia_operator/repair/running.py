"""Carrying out a repair: jobs for the operator service, deletions, and waiting until both have reached the index."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.offsets import Offsets
from roggia_runtime.producer import Producer
from roggia_runtime.ranges import RangeReader
from roggia_runtime.records import Partition
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import JobKind, JobStatus
from roggia_schemas.topics import DOC_CHANGED

from roggia_operator.errors import JobError
from roggia_operator.jobs.client import JobClient, Request, job_id
from roggia_operator.jobs.table import Job
from roggia_operator.repair.deleting import deletion, output
from roggia_operator.repair.plan import RepairPlan
from roggia_operator.replay.selection import Selection

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Route:
    """Where the index that was verified comes from: the chunk topic, the index generation, and ingest's group."""

    chunked: str
    generation: int
    ingest_group: str = "roggia.ingest"

    @property
    def hops(self) -> list[tuple[str, str]]:
        """Groups and the lanes that they read, in the order in which a record passes them; live topics as well."""
        embedded = topics.doc_embedded(self.generation)
        embed, upsert = f"roggia.embed.g{self.generation}", f"roggia.upsert.g{self.generation}"
        return [
            (self.ingest_group, topics.replay(DOC_CHANGED)),
            (embed, self.chunked),
            (embed, topics.replay(self.chunked)),
            (upsert, embedded),
            (upsert, topics.replay(embedded)),
        ]


class Repairer:
    """One repair. Raises `UnavailableError` when no broker answers, `AdminError` when Kafka refuses."""

    def __init__(self, kafka: KafkaSettings, codec: EventCodec, route: Route) -> None:
        self._kafka, self._codec, self._route = kafka, codec, route

    async def possible(self, plan: RepairPlan) -> RepairPlan:
        """The plan without what `doc.changed` no longer holds: its keys are read from end to end."""
        return plan.without(await self._held(plan.renewals)) if plan.renewals else plan

    async def submit(self, plan: RepairPlan, requested_by: str, reason: str) -> list[str]:
        """Ask the operator service for the renewals; the jobs' ids."""
        async with JobClient(self._kafka, self._codec) as client:
            return [
                await client.submit(Request(JobKind.REPLAY, _selection(documents), {}, requested_by, reason))
                for documents in plan.jobs()
            ]

    async def delete(self, plan: RepairPlan) -> int:
        """Send the deletions; how many."""
        number = job_id(JobKind.REPLAY)
        events = [deletion(place, version, now_ms()) for place, version in plan.deletions.items()]
        producer = Producer(self._kafka, f"roggia-replay-{number}")
        await producer.start()
        try:
            await producer.deliver([output(self._codec, self._route.chunked, event, number) for event in events])
        finally:
            await producer.stop()
        return len(events)

    async def ended(self, job_ids: Iterable[str], told: Callable[[Job], None]) -> None:
        """Wait for the jobs, telling how each stands. Raises `JobError` when one fails or is cancelled."""
        async with JobClient(self._kafka, self._codec) as client:
            for one in job_ids:
                await self._ended(client, one, told)

    async def passed(self, timeout_s: float) -> bool:
        """Wait until every hop has done what its topics hold now, one after the other; False: not within the time."""
        deadline = time.monotonic() + timeout_s
        async with TopicAdmin(self._kafka) as admin, Offsets(self._kafka) as offsets:
            for group, topic in self._route.hops:
                ends = await admin.end_offsets(topic)
                while not await _reached(offsets, group, topic, ends):
                    if time.monotonic() >= deadline:
                        return False
                    await asyncio.sleep(_LOOK_S)
        return True

    async def _ended(self, client: JobClient, one: str, told: Callable[[Job], None]) -> None:
        async for job in client.follow(one, _LOOK_S):
            told(job)
        if job.status is not JobStatus.DONE:
            message = job.state.message if job.state else ""
            raise JobError(f"repair: job {one} {job.status.value.lower()}: {message}")

    async def _held(self, keys: Iterable[str]) -> set[str]:
        wanted, found = {key.encode() for key in keys}, set[bytes]()
        async with TopicAdmin(self._kafka) as admin:
            partitions = [Partition(DOC_CHANGED, number) for number in await admin.end_offsets(DOC_CHANGED)]
        async with RangeReader(self._kafka, "roggia-repair") as reader:
            async for piece in reader.read(await reader.spans(partitions)):
                for record in piece.records:
                    if record.key in wanted:
                        (found.discard if record.value is None else found.add)(record.key or b"")
        return {key.decode() for key in found}


def _selection(documents: tuple[str, ...]) -> str:
    return Selection(topic=DOC_CHANGED, documents=documents, mode="renew").as_json()


async def _reached(offsets: Offsets, group: str, topic: str, ends: dict[int, int]) -> bool:
    done = (await offsets.committed([group]))[group]
    return all(done.get(Partition(topic, number), 0) >= end for number, end in ends.items())
