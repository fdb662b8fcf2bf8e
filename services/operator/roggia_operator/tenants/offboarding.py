"""Offboards one tenant, as a job: refuse what is new, delete what is there, wait until that has reached everything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.ranges import Span
from roggia_runtime.records import Output, Partition
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import JobKind, JobStatus, JobWish, TenantStatus

from roggia_operator.errors import JobError
from roggia_operator.jobs.running import JobCancelledError, Running
from roggia_operator.lag import LagObserver, PartitionLag
from roggia_operator.tenants.registry import TenantRegistry
from roggia_operator.tenants.remains import as_json, remains
from roggia_operator.tenants.survey import CHUNKED, EMBEDDED, Log, live, living

SEEN_S = 2.0
"""Time that services get to see that the tenant is being offboarded, before its documents are looked for. Who sees it
later is caught by a further round: what comes meanwhile is deleted too."""
LOOK_S = 0.5
AT_ONCE = 500


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the job is about."""

    tenant: str


class OffboardRunner:
    """The `Runner` of OFFBOARD jobs. Every step may be done twice, so a job goes on after a crash wherever it was."""

    def __init__(self, kafka: KafkaSettings, codec: EventCodec) -> None:
        self._kafka, self._codec = kafka, codec
        self._log = Log(kafka)

    @property
    def kind(self) -> JobKind:
        """See `Runner`."""
        return JobKind.OFFBOARD

    async def run(self, job: Running) -> str:
        """See `Runner`."""
        tenant = msgspec.json.decode(job.wanted.spec, type=Spec).tenant
        async with TenantRegistry(self._kafka, self._codec) as registry:
            if TenantStatus.OFFBOARDED is not await _status(registry, tenant):
                await registry.mark(tenant, TenantStatus.OFFBOARDING, job.wanted.requested_by)
                await _say(job, "new documents are refused")
                await job.wait(SEEN_S)
                while await self._round(job, registry, tenant):
                    pass
                if left := await living(self._log, self._codec, tenant):
                    raise JobError(
                        f"{tenant}: {left} documents are on {CHUNKED}* that ingest does not know, so it cannot delete "
                        "them: run `roggia verify --repair`, then offboard again"
                    )
                await registry.mark(tenant, TenantStatus.OFFBOARDED, job.wanted.requested_by)
        job.outcome = as_json(remains(sorted(await self._log.partitions())))
        return f"{tenant} is offboarded: {job.counts.get('deleted', 0):,} documents deleted; see what remains"

    async def _round(self, job: Running, registry: TenantRegistry, tenant: str) -> int:
        """Delete what came since the last round, and wait until nobody has it any more. Returns how much it was."""
        if await _status(registry, tenant) is not TenantStatus.OFFBOARDING:
            raise JobError(f"{tenant}: somebody has brought it back meanwhile; nothing more is deleted")
        spans = await self._rest(job)
        keys = await self._keys(spans, tenant)
        await self._delete(job, keys)
        job.positions |= {_place(partition): span.end for partition, span in spans.items()}
        await job.save(JobStatus.RUNNING, f"{len(keys):,} documents deleted in this round")
        for names in await self._stages():
            await self._pass(job, names)
        return len(keys)

    async def _rest(self, job: Running) -> dict[Partition, Span]:
        spans = await self._log.spans([topics.DOC_CHANGED])
        begin = {partition: job.positions.get(_place(partition), 0) for partition in spans}
        return {partition: Span(max(span.first, begin[partition]), span.end) for partition, span in spans.items()}

    async def _keys(self, spans: Mapping[Partition, Span], tenant: str) -> list[bytes]:
        """Documents whose newest record in `spans` is no null: their values lie on the log, deletions included."""
        found: dict[bytes, bool] = {}
        async for record in self._log.read(spans, tenant):
            if record.key is not None:
                found[record.key] = record.value is not None
        return [key for key, there in found.items() if there]

    async def _delete(self, job: Running, keys: list[bytes]) -> None:
        producer = Producer(self._kafka, f"roggia-offboard-{job.job_id}")
        await producer.start()
        try:
            for start in range(0, len(keys), AT_ONCE):
                await _go_on(job)
                some = keys[start : start + AT_ONCE]
                await producer.send_all([Output(topics.DOC_CHANGED, key, None) for key in some])
                job.count(deleted=len(some))
                await _say(job, "documents are being deleted")
        finally:
            await producer.stop()

    async def _stages(self) -> list[list[str]]:
        known = await self._log.partitions()
        return [[topics.DOC_CHANGED], live(known, CHUNKED), live(known, EMBEDDED)]

    async def _pass(self, job: Running, names: list[str]) -> None:
        """Wait until every group of these topics has read what they hold now: then its outputs are written too."""
        ends = {partition: span.end for partition, span in (await self._log.spans(names)).items()}
        async with LagObserver(self._kafka) as observer:
            while behind := _behind((await observer.measure()).partitions, ends):
                await _go_on(job)
                groups = ", ".join(sorted({part.group for part in behind}))
                await _say(job, f"{groups} must read {sum(part.lag for part in behind):,} more records")
                await job.wait(LOOK_S)


def _behind(parts: tuple[PartitionLag, ...], ends: Mapping[Partition, int]) -> list[PartitionLag]:
    return [part for part in parts if part.lag and (part.committed or 0) < ends.get(part.where, 0)]


async def _status(registry: TenantRegistry, tenant: str) -> TenantStatus | None:
    held = (await registry.held()).get(tenant)
    return held.status if held else None


async def _go_on(job: Running) -> None:
    """Return when the job is to run. Raises `JobCancelledError`."""
    while job.wish is not JobWish.RUN:
        if job.wish is JobWish.CANCEL:
            raise JobCancelledError(job.job_id)
        await job.saved(JobStatus.PAUSED, "paused by an operator")
        await job.wait(LOOK_S)
    await asyncio.sleep(0)


async def _say(job: Running, message: str) -> None:
    await job.saved(JobStatus.RUNNING, message)


def _place(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"
