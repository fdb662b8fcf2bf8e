"""Redrives and drops as `ops.job` records: what was asked (WANTED), and what came of it (STATE)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec
import structlog
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Partition
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import JobKind, JobSide, JobStatus, OpsJob

from roggia_operator.dlq.ledger import Ledger, Packed
from roggia_operator.dlq.ports import Log
from roggia_operator.dlq.selection import Selection
from roggia_operator.errors import JobError

log = structlog.get_logger()
ENDED = frozenset({JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED})
_OPS = Partition(topics.OPS_JOB, 0)


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A WANTED's specification: what to do with which letters. It never changes."""

    action: Literal["redrive", "drop"]
    selection: Selection
    ends: dict[str, int]
    """By DLQ `topic/partition`: offset before which letters belong to the job. What comes later does not."""
    again: bool = False
    """Take also letters that were redriven, overtaken or dropped before."""
    stop_after: int = 3
    """How many letters of one fingerprint may come back before the job stops."""

    def within(self, partition: Partition) -> int:
        """Offset before which a DLQ partition belongs to the job."""
        return self.ends.get(f"{partition.topic}/{partition.number}", 0)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A STATE's specification: the places that the job closed, so that nobody sends them again by accident."""

    closed: Packed = {}


@dataclass(frozen=True, slots=True)
class Job:
    """Both sides of one job. `state` is None until a runner takes it."""

    wanted: OpsJob
    state: OpsJob | None

    @property
    def job_id(self) -> str:
        """Its name."""
        return self.wanted.job_id

    @property
    def began_ms(self) -> int:
        """When a runner took it; before that, when it was asked for."""
        return (self.state and self.state.started_at) or self.wanted.occurred_at

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state is not None and self.state.status in ENDED

    @property
    def task(self) -> Task:
        """What to do. Raises `JobError` for a specification of another version."""
        try:
            return msgspec.json.decode(self.wanted.spec, type=Task)
        except msgspec.DecodeError as error:
            raise JobError(f"job {self.job_id}: its specification cannot be read ({error}); cancel it") from error

    @property
    def closed(self) -> Packed:
        """Places that it closed so far."""
        if self.state is None:
            return {}
        try:
            return msgspec.json.decode(self.state.spec, type=Outcome).closed
        except msgspec.DecodeError as error:
            raise JobError(f"job {self.job_id}: its state cannot be read ({error}); use a newer version") from error


async def read_jobs(source: Log, codec: EventCodec) -> list[Job]:
    """Every redrive and drop, the oldest first."""
    if topics.OPS_JOB not in await source.partitions():
        return []
    bounds = (await source.bounds([_OPS]))[_OPS]
    latest: dict[bytes, OpsJob] = {}
    async for record in source.read(*_OPS, bounds.first, end=bounds.end):
        key = record.key or b""
        if record.value is None:
            latest.pop(key, None)
            continue
        try:
            event = await codec.decode(OpsJob, record)
        except SchemasError as error:
            log.warning("job_unreadable", offset=record.offset, error=str(error))
            continue
        if event.kind is JobKind.REDRIVE:
            latest[key] = event
    return _paired(latest.values())


def ledger_of(jobs: Iterable[Job], *, but: str = "") -> Ledger:
    """The fate of every letter, by all jobs except the one that is named."""
    found = Ledger()
    for job in jobs:
        if job.job_id != but:
            found.add(job.job_id, job.closed)
    return found


def _paired(events: Iterable[OpsJob]) -> list[Job]:
    sides: dict[str, dict[JobSide, OpsJob]] = {}
    for event in events:
        sides.setdefault(event.job_id, {})[event.side] = event
    jobs = [Job(pair[JobSide.WANTED], pair.get(JobSide.STATE)) for pair in sides.values() if JobSide.WANTED in pair]
    return sorted(jobs, key=lambda job: (job.began_ms, job.job_id))
