"""Redrives and drops as `ops.job` records: what was asked (WANTED), and what came of it (STATE)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Partition
from roggia_schemas import topics
from roggia_schemas.events import JobKind, OpsJob

from roggia_operator.dlq.ledger import Ledger, Packed
from roggia_operator.dlq.ports import Log
from roggia_operator.dlq.selection import Selection
from roggia_operator.errors import JobError, SelectionError
from roggia_operator.jobs.client import Request, job_id
from roggia_operator.jobs.table import PARTITION, Job, JobTable


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A WANTED's specification: what to do with which letters. It never changes."""

    action: Literal["redrive", "drop"]
    selection: Selection
    ends: dict[str, int] = {}
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


def request(task: Task, *, who: str, reason: str, rates: Mapping[str, float] | None = None) -> tuple[Request, str]:
    """What `JobClient.submit` takes: the request and a new id. Raises `SelectionError` for a drop without a reason."""
    if task.action == "drop" and not reason.strip():
        raise SelectionError("--reason: a drop needs one; it is kept with the job")
    asked = Request(JobKind.REDRIVE, msgspec.json.encode(task).decode(), rates or {}, who, reason)
    return asked, job_id(JobKind.REDRIVE).replace("redrive", task.action, 1)


def task_of(wanted: OpsJob) -> Task:
    """What a job is to do. Raises `JobError` for a specification of another version."""
    try:
        return msgspec.json.decode(wanted.spec, type=Task)
    except msgspec.DecodeError as error:
        raise JobError(f"job {wanted.job_id}: its specification cannot be read: {error}") from error


def closed_by(state: OpsJob | None) -> Packed:
    """Places that a job closed so far. Raises `JobError` for a state of another version."""
    try:
        return msgspec.json.decode(state.spec, type=Outcome).closed if state else {}
    except msgspec.DecodeError as error:
        raise JobError(
            f"job {state and state.job_id}: its state cannot be read: {error}; use a newer roggia"
        ) from error


async def read_jobs(log: Log, codec: EventCodec) -> list[Job]:
    """Every redrive and drop, in the order in which they began."""
    if topics.OPS_JOB not in await log.partitions():
        return []
    table, bounds = JobTable(), (await log.bounds([PARTITION]))[PARTITION]
    async for record in log.read(*PARTITION, bounds.first, end=bounds.end):
        await table.take(record, codec)
    ours = [job for job in table if job.wanted is not None and job.wanted.kind is JobKind.REDRIVE]
    return sorted(ours, key=lambda job: (began_ms(job), job.job_id))


def began_ms(job: Job) -> int:
    """When a runner took a job; before that, when it was asked for."""
    event = job.state or job.wanted
    return 0 if event is None else event.started_at or event.occurred_at


def ledger_of(jobs: Iterable[Job], *, but: str = "") -> Ledger:
    """The fate of every letter, by all jobs except the one that is named."""
    found = Ledger()
    for job in jobs:
        if job.job_id != but:
            found.add(job.job_id, closed_by(job.state))
    return found
