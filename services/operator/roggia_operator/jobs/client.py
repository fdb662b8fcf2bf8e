"""What operators do with jobs: ask for one, change its wish or rates, look. For the command line and the console."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import msgspec
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import UnavailableError
from roggia_runtime.ids import uuid7
from roggia_runtime.leadership import FencedWriter, LeadershipLostError
from roggia_runtime.producer import Producer
from roggia_runtime.ranges import RangeReader
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import JobKind, JobSide, JobStatus, JobWish, OpsJob

from roggia_operator.errors import JobError, SelectionError
from roggia_operator.jobs.table import Job, JobTable, catch_up, read

_SEND_S = 15.0
_TRIES = 20
_APART_S = 0.5
_LOOK_S = 0.1
CHANGES = "roggia.operator.job-changes"
"""The transactional id of whoever changes a job: one at a time."""


@dataclass(frozen=True, slots=True)
class Request:
    """A job that somebody asks for. `spec` is its specification as JSON; `rates` are limits per second by name."""

    kind: JobKind
    spec: str
    rates: Mapping[str, float]
    requested_by: str = ""
    reason: str = ""


def job_id(kind: JobKind) -> str:
    """A new id: kind, time in UTC, four hexadecimal digits."""
    return f"{kind.value.lower()}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class JobClient:
    """Use it as a context manager. Raises `UnavailableError` when no broker answers."""

    def __init__(self, kafka: KafkaSettings, codec: EventCodec) -> None:
        self._kafka, self._codec = kafka, codec
        self._producer = Producer(kafka, "roggia-jobs")
        self._started = False

    async def __aenter__(self) -> Self:
        await self._codec.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def table(self) -> JobTable:
        """Every job."""
        return (await read(self._kafka, self._codec))[0]

    async def get(self, wanted_id: str) -> Job:
        """One job. Raises `SelectionError` when there is none."""
        return _of(await self.table(), wanted_id)

    async def follow(self, wanted_id: str, look_s: float) -> AsyncGenerator[Job]:
        """One job as it stands now, and every `look_s` seconds again until it has ended. Raises as `get` does.

        Close it (`contextlib.aclosing`) when you stop listening earlier.
        """
        table, offset = JobTable(), 0
        async with RangeReader(self._kafka) as reader:
            while True:
                offset = await catch_up(table, reader, self._codec, offset)
                job = _of(table, wanted_id)
                yield job
                if job.ended:
                    return
                await asyncio.sleep(look_s)

    async def submit(self, request: Request, new_id: str = "") -> str:
        """Ask for a job; its id. The runner takes it as soon as it sees it."""
        wanted = OpsJob(
            event_id=uuid7(),
            occurred_at=now_ms(),
            job_id=new_id or job_id(request.kind),
            side=JobSide.WANTED,
            kind=request.kind,
            requested_by=request.requested_by,
            reason=request.reason,
            spec=request.spec,
            wish=JobWish.RUN,
            rates=dict(request.rates),
            status=JobStatus.WAITING,
        )
        await self._send(wanted)
        return wanted.job_id

    async def wish(self, wanted_id: str, wish: JobWish) -> None:
        """Run, pause or cancel. Raises `SelectionError` for an unknown job, `JobError` for one that has ended, or that
        is being cancelled and is to do something else."""
        await self._change(wanted_id, lambda wanted: msgspec.structs.replace(wanted, wish=wish), to=wish)

    async def rate(self, wanted_id: str, rates: Mapping[str, float | None]) -> dict[str, float]:
        """Change limits: a number sets one, None lifts it; the limits as they are now. Raises as `wish` does."""

        def changed(wanted: OpsJob) -> OpsJob:
            merged = {name: value for name, value in {**wanted.rates, **rates}.items() if value is not None}
            return msgspec.structs.replace(wanted, rates=merged)

        return (await self._change(wanted_id, changed)).rates

    async def _change(self, wanted_id: str, change: Callable[[OpsJob], OpsJob], *, to: JobWish | None = None) -> OpsJob:
        """Change what is wanted, also beside somebody who changes something else of it at the same moment.

        A record holds all that is wanted, so nobody may write on top of what another has changed meanwhile: who begins
        later fences who began before, and whoever was fenced reads and writes anew.
        """
        for _ in range(_TRIES):
            writer = FencedWriter(self._kafka, CHANGES)
            try:
                async with asyncio.timeout(_SEND_S), RangeReader(self._kafka) as reader:
                    await writer.start()
                    return await self._changed(writer, reader, wanted_id, change, to)
            except LeadershipLostError:
                await asyncio.sleep(random.uniform(0, _APART_S))  # noqa: S311  # so that two do not fence each other again
            except TimeoutError:
                raise UnavailableError(_silent(self._kafka)) from None
            finally:
                await writer.stop()
        raise JobError(f"JOB: {wanted_id} is being changed by others all the time; look at it, and try once more")

    async def _changed(
        self,
        writer: FencedWriter,
        reader: RangeReader,
        wanted_id: str,
        change: Callable[[OpsJob], OpsJob],
        to: JobWish | None,
    ) -> OpsJob:
        """The event as it was written, in the end on top of all that was committed before it.

        Somebody else's open transaction (the operator's own, for instance) hides for a while what stands behind it.
        """
        table = JobTable()
        offset = await catch_up(table, reader, self._codec, 0)
        while True:
            base = _wanted(_of(table, wanted_id), to)
            event = _now(change(base))
            ((_, at),) = await writer.write([self._codec.output(topics.OPS_JOB, event)])
            while offset < at:
                offset = await catch_up(table, reader, self._codec, offset, at)
                await asyncio.sleep(0 if offset == at else _LOOK_S)
            if _wanted(_of(table, wanted_id), to).event_id == base.event_id:
                return event
            offset = at + 1  # what came before it was hidden: change that, and leave the record in between out

    async def _send(self, wanted: OpsJob) -> None:
        try:
            async with asyncio.timeout(_SEND_S):
                if not self._started:
                    await self._producer.start()
                    self._started = True
                await self._producer.send(self._codec.output(topics.OPS_JOB, _now(wanted)))
        except TimeoutError:
            raise UnavailableError(_silent(self._kafka)) from None


def _now(wanted: OpsJob) -> OpsJob:
    return msgspec.structs.replace(wanted, event_id=uuid7(), occurred_at=now_ms())


def _silent(kafka: KafkaSettings) -> str:
    return f"Kafka at {kafka.bootstrap} took no record within {_SEND_S:g} s"


def _wanted(job: Job, to: JobWish | None) -> OpsJob:
    if job.ended or job.wanted is None:
        raise JobError(f"JOB: {job.job_id} has ended ({job.status.value}); ask for a new one")
    if job.wish is JobWish.CANCEL and to is not JobWish.CANCEL:
        raise JobError(f"JOB: {job.job_id} is being cancelled; ask for a new one")
    return job.wanted


def _of(table: JobTable, wanted_id: str) -> Job:
    job = table.get(wanted_id)
    if job is None:
        raise SelectionError(
            f"JOB: there is no job {wanted_id!r}; `roggia replay list` and `roggia dlq jobs` show them"
        )
    return job
