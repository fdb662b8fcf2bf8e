"""`roggia dlq redrive`, `drop` and `jobs`: the commands that act, through jobs of the operator service."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import typer
from msgspec import structs
from roggia_operator.dlq.jobs import Task, read_jobs, request
from roggia_operator.dlq.kafka_log import KafkaLog
from roggia_operator.dlq.planning import Plan, plan
from roggia_operator.dlq.selection import Selection, place
from roggia_operator.dlq.shown import job_row
from roggia_operator.jobs.client import JobClient
from roggia_operator.jobs.table import Job
from roggia_runtime.codec import EventCodec

from roggia.cli import options
from roggia.cli.asking import agreed, somebody
from roggia.cli.connected import job_client
from roggia.cli.dlq_common import Kind, Since, Stage, TenantOf, Until, looking, moment_of, within
from roggia.cli.dlq_views import plan_row, show_jobs, show_plan
from roggia.cli.jobs import followed, judged, taken
from roggia.cli.output import counted, emit, out, say
from roggia.connection import Connection, Named, resolve
from roggia.errors import UsageError

UNASKED = "needed without a terminal, where nobody can confirm the plan"
REFUSED = "not confirmed: nothing was done"


@dataclass(frozen=True, slots=True)
class Said:
    """Filters as they were written."""

    stage: str
    kind: str
    tenant: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Asked:
    """How to carry a plan out."""

    reason: str
    rates: dict[str, float]
    detach: bool
    json: bool


Which: TypeAlias = Annotated[
    str, typer.Argument(metavar="CAUSE|TOPIC", help="A cause by its fingerprint, or a topic or DLQ.")
]
At: TypeAlias = Annotated[str, typer.Argument(metavar="PLACE", help="PARTITION:OFFSET of one letter of that DLQ.")]
Again: TypeAlias = Annotated[
    bool, typer.Option("--again", help="Also letters that were redriven, overtaken or dropped before.")
]
Detach: TypeAlias = Annotated[bool, typer.Option("--detach", help="Do not wait for the job's end.")]


def redrive(
    which: Which = "",
    at: At = "",
    *,
    stage: Stage = "",
    kind: Kind = "",
    tenant: TenantOf = "",
    since: Since = "",
    until: Until = "",
    again: Again = False,
    stop_after: Annotated[
        int, typer.Option("--stop-after", min=0, help="Letters of one cause that may come back before it stops.")
    ] = 3,
    rate: Annotated[float, typer.Option("--rate", min=0, help="Letters per second; 0 for no limit.")] = 0.0,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the job.")] = "",
    dry_run: options.DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the plan is accepted as it is.")] = False,
    detach: Detach = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Send dead letters through their topic's lane again, once their cause is mended: a plan first, then a job."""
    meant = _meant(which, at, Said(stage, kind, tenant, since, until))
    task = Task(action="redrive", selection=meant, again=again, stop_after=stop_after)
    where = resolve(Named(data, bootstrap, registry))
    found = _planned(where, task, which)
    if not json:
        show_plan(found)
    if dry_run or not found.letters:
        emit(plan_row(found)) if json else None
        return
    if not yes:
        agreed(f"Redrive {counted(found.send, 'letter')}?", otherwise=f"--yes: {UNASKED}", refused=REFUSED)
    _carry_out(where, found, Asked(reason, {"records": rate} if rate else {}, detach, json))


def drop(
    which: Which = "",
    at: At = "",
    *,
    stage: Stage = "",
    kind: Kind = "",
    tenant: TenantOf = "",
    since: Since = "",
    until: Until = "",
    reason: Annotated[str, typer.Option("--reason", help="Why: needed, and kept with the job.")] = "",
    confirm: Annotated[
        str, typer.Option("--confirm", help="What would be typed, for scripts: 'drop NUMBER', as the plan says.")
    ] = "",
    dry_run: options.DryRun = False,
    detach: Detach = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Give dead letters up, with a reason: they leave the list, and stay on the log until its retention."""
    meant = _meant(which, at, Said(stage, kind, tenant, since, until))
    if not reason.strip() and not dry_run:
        raise UsageError("--reason: a drop needs one; it is kept with the job")
    where = resolve(Named(data, bootstrap, registry))
    found = _planned(where, Task(action="drop", selection=meant), which)
    if not json:
        show_plan(found)
    if dry_run:
        emit(plan_row(found)) if json else None
        return
    wanted = f"drop {found.letters}"
    if confirm and confirm != wanted:
        raise UsageError(f"--confirm: {confirm!r} is not {wanted!r}, which the plan asks for; nothing was dropped")
    if not confirm:
        agreed(
            lambda: typer.prompt(f"Type {wanted!r} to go on", err=True, default="") == wanted,
            otherwise=f"--confirm: {UNASKED}",
            refused=REFUSED,
        )
    _carry_out(where, found, Asked(reason, {}, detach, json))


def jobs(
    job: Annotated[str, typer.Argument(help="Only this job.")] = "",
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """List redrives and drops: who, when, why, and what came of each.

    Exit status 1 when the one that is named has failed, was cancelled, or had letters that came back.
    """
    every = asyncio.run(looking(resolve(Named(data, bootstrap, registry)), read_jobs))
    found = [one for one in every if job in ("", one.job_id)]
    if job and not found:
        raise UsageError(f"JOB: there is no redrive or drop {job!r}; `roggia dlq jobs` shows them")
    rows = [job_row(one) for one in found]
    emit(rows) if json else show_jobs(rows)
    if job:
        judged(found[0])


def _meant(which: str, at: str, said: Said) -> Selection:
    filters = Selection(
        fingerprint="" if _is_topic(which) else which,
        stage=said.stage,
        kind=said.kind,
        tenant=said.tenant,
        since_ms=moment_of("--since", said.since),
        until_ms=moment_of("--until", said.until),
        places=(place(which, at),) if at else (),
    )
    if filters == Selection() and not which:
        raise UsageError("CAUSE: name a cause, a topic or a filter: `roggia dlq list` shows what is there")
    return filters


def _is_topic(which: str) -> bool:
    return "." in which


def _planned(where: Connection, task: Task, which: str) -> Plan:
    async def look(log: KafkaLog, codec: EventCodec) -> Plan:
        selection = await within(log, which if _is_topic(which) else "", task.selection)
        return await plan(log, codec, structs.replace(task, selection=selection))

    return asyncio.run(looking(where, look))


def _carry_out(where: Connection, found: Plan, asked: Asked) -> None:
    """Ask the operator service for the job; wait for its end unless told otherwise."""
    wanted, new_id = request(found.task, who=somebody(), reason=asked.reason, rates=asked.rates)

    def show(row: dict[str, Any], line: str) -> None:
        emit({**row, "plan": plan_row(found)}) if asked.json else out.print(line, markup=False, soft_wrap=True)

    async def submit() -> Job | None:
        async with job_client(where, "dlq") as client:
            await client.submit(wanted, new_id)
            say(f"job {new_id}: it runs in the operator service, and goes on there if this command is interrupted")
            if not asked.detach:
                return await _ended(client, new_id)
            show({"job": new_id}, f"{new_id}\nWatch it: roggia dlq jobs {new_id}")
            await taken(client, new_id)
            return None

    job = asyncio.run(submit())
    if job is not None:
        show(job_row(job), f"{new_id}: {job.state.message if job.state else ''}")
        judged(job)


async def _ended(client: JobClient, job_id: str) -> Job:
    """Wait; say how it stands whenever that changes. Raises `NotRunningError` when nobody takes the job."""
    told = ""
    async with aclosing(followed(client, job_id)) as looks:
        async for job in looks:
            line = f"{job.status.value.lower()}: {job.state.message}" if job.state and job.state.message else ""
            if line and line != told and not job.ended:
                say(line)
            told = line
    return job
