"""`roggia replay`: send records again, as a job that can be planned, watched, paused and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import typer
from roggia_operator.jobs.client import JobClient, Request
from roggia_operator.jobs.table import Job
from roggia_operator.replay.plan import Plan, checked_rates, plan
from roggia_operator.replay.selection import Selection
from roggia_operator.replay.survey import EXACT_BELOW, Effort
from roggia_schemas.events import JobKind, JobWish

from roggia.cli import options
from roggia.cli.asking import agreed, somebody
from roggia.cli.connected import codec_of, job_client
from roggia.cli.jobs import judged, taken
from roggia.cli.output import emit, out, say
from roggia.cli.replay_options import Asked, asked, rates_of
from roggia.cli.replay_views import job_row, show_jobs, show_plan, spelled, watch
from roggia.connection import Connection, Named, resolve
from roggia.errors import UsageError
from roggia.publishing.publisher import kafka_settings

app = typer.Typer(no_args_is_help=True, help="Replay and backfill: process records again, after everything live.")
T = TypeVar("T")
UNASKED = "--yes: nobody is there to confirm the plan; give --yes to accept it"

Topic: TypeAlias = Annotated[str, typer.Argument(help="Live topic: doc.changed, doc.chunked.c1, doc.embedded.g1.")]
From: TypeAlias = Annotated[str, typer.Option("--from", help="From then on: 2026-01-31T12:00:00Z, or 90m, 2h, 7d ago.")]
To: TypeAlias = Annotated[str, typer.Option("--to", help="Before this time, written as --from.")]
Offsets: TypeAlias = Annotated[
    list[str] | None, typer.Option("--offsets", help="PARTITION:FIRST-END, END not included; repeatable.")
]
Tenant: TypeAlias = Annotated[str, typer.Option("--tenant", help="Only this tenant's documents.")]
Domain: TypeAlias = Annotated[str, typer.Option("--domain", help="Only this domain of the tenant.")]
Docs: TypeAlias = Annotated[
    list[str] | None, typer.Option("--doc", help="Only this document: id with --tenant, else tenant/id; repeatable.")
]
DocsFile: TypeAlias = Annotated[
    Path | None, typer.Option("--docs", help="File with one document per line, as --doc; - is standard input.")
]
Missing: TypeAlias = Annotated[bool, typer.Option("--missing", help="Only what the index misses; it is renewed.")]
Collection: TypeAlias = Annotated[
    str, typer.Option("--collection", help="Fill kb_<tenant>_<domain>__SUFFIX instead of the index in use.")
]
Mode: TypeAlias = Annotated[
    str, typer.Option("--mode", help="same: what is there stays; renew: every chunk and point is written anew.")
]
Rate: TypeAlias = Annotated[
    list[str] | None, typer.Option("--rate", help="Limit per second: records=50, bytes=1e6, tokens=2000; repeatable.")
]
ExactBelow: TypeAlias = Annotated[
    int, typer.Option("--exact-below", min=1, help="Count up to this many offsets, sample above.")
]
JobId: TypeAlias = Annotated[str, typer.Argument(help="The job: `roggia replay list` shows them.")]


@app.command("plan")
def plan_(
    topic: Topic = "doc.changed",
    *,
    since: From = "",
    until: To = "",
    offsets: Offsets = None,
    tenant: Tenant = "",
    domain: Domain = "",
    doc: Docs = None,
    docs: DocsFile = None,
    missing: Missing = False,
    collection: Collection = "",
    mode: Mode = "same",
    rate: Rate = None,
    exact_below: ExactBelow = EXACT_BELOW,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    query_url: options.QueryUrl = "",
    json: options.Json = False,
) -> None:
    """Say what a replay would do: records, documents, tokens, duration, warnings. Changes nothing: `run --dry-run`."""
    where = _found(Named(data, bootstrap, registry, query_url), missing=missing)
    said = Asked(topic, since, until, offsets, tenant, domain, doc, docs, missing, collection, mode)
    found = asyncio.run(_planned(where, said, rates_of(rate), exact_below))
    emit(found.as_json()) if json else show_plan(found)


@app.command("run")
def run(
    topic: Topic = "doc.changed",
    *,
    since: From = "",
    until: To = "",
    offsets: Offsets = None,
    tenant: Tenant = "",
    domain: Domain = "",
    doc: Docs = None,
    docs: DocsFile = None,
    missing: Missing = False,
    collection: Collection = "",
    mode: Mode = "same",
    rate: Rate = None,
    exact_below: ExactBelow = EXACT_BELOW,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the job.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the plan is accepted as it is.")] = False,
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    query_url: options.QueryUrl = "",
    json: options.Json = False,
) -> None:
    """Plan a replay, ask for confirmation, and hand it to the operator service as a job; prints the job's id."""
    where, rates = _found(Named(data, bootstrap, registry, query_url), missing=missing), rates_of(rate)
    said = Asked(topic, since, until, offsets, tenant, domain, doc, docs, missing, collection, mode)
    found = asyncio.run(_planned(where, said, rates, exact_below))
    if not json:
        show_plan(found)
    if dry_run:
        emit(found.as_json()) if json else None
        return
    if not yes:
        agreed("Run it?", otherwise=UNASKED, refused="not run")
    request = Request(JobKind.REPLAY, found.selection.as_json(), rates, somebody(), reason)
    asyncio.run(_with(where, lambda client: _submitted(client, request, found, json=json)))


@app.command("status")
def status(
    job: Annotated[str, typer.Argument(help="The job; without it, every job that is open.")] = "",
    *,
    watching: Annotated[bool, typer.Option("--watch", help="Go on until it ends.")] = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Show how a job stands. Exit status 1 when it has failed, was cancelled, or had letters that came back."""
    where = resolve(Named(data, bootstrap, registry))
    if not job:
        if watching:
            raise UsageError("JOB: --watch follows one job; name it (`roggia replay list`)")
        _show([one for one in asyncio.run(_with(where, _replays)) if not one.ended], json=json)
        return
    found = asyncio.run(_with(where, lambda client: _look(client, job, watching=watching, json=json)))
    if json and not watching:
        emit(job_row(found))
    elif not json:
        show_jobs([found])
    judged(found)


@app.command("list")
def list_(
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """List every replay job, the newest last."""
    _show(asyncio.run(_with(resolve(Named(data, bootstrap, registry)), _replays)), json=json)


def _wishing(wish: JobWish) -> Callable[..., None]:
    """The command that asks for one wish."""

    def command(
        job: JobId,
        data: options.Data = None,
        bootstrap: options.Bootstrap = "",
        registry: options.Registry = "",
        json: options.Json = False,
    ) -> None:
        asyncio.run(_with(resolve(Named(data, bootstrap, registry)), lambda client: client.wish(job, wish)))
        emit({"job": job, "wish": wish.value}) if json else out.print(f"{job}: {_ASKED[wish]}", markup=False)

    return command


for name, wish, text in (
    ("pause", JobWish.PAUSE, "Pause a job. It stops within a second or two, and stays paused over restarts."),
    ("resume", JobWish.RUN, "Let a paused job go on."),
    ("cancel", JobWish.CANCEL, "End a job. What it has sent is processed; the rest never is."),
):
    app.command(name, help=text)(_wishing(wish))


@app.command("rate")
def rate_(
    job: JobId,
    limits: Annotated[list[str], typer.Argument(help="records=50, bytes=1e6, tokens=2000; records=off lifts one.")],
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Change a job's limits while it runs."""
    off = [text.removesuffix("=off") for text in limits if text.endswith("=off")]
    checked_rates(dict.fromkeys(off, 1.0))
    numbers = rates_of([text for text in limits if not text.endswith("=off")], "LIMITS")
    wanted: dict[str, float | None] = {**dict.fromkeys(off), **numbers}
    now = asyncio.run(_with(resolve(Named(data, bootstrap, registry)), lambda client: client.rate(job, wanted)))
    emit({"job": job, "rates": now}) if json else out.print(f"{job}: {spelled(now)}", markup=False)


_ASKED = {JobWish.PAUSE: "asked to pause", JobWish.RUN: "asked to go on", JobWish.CANCEL: "asked to end"}


def _found(named: Named, *, missing: bool) -> Connection:
    """Where Kafka is and, where the index is asked, its query service."""
    where = resolve(named)
    return replace(where, query=resolve(named, need="query").query) if missing else where


async def _planned(where: Connection, said: Asked, rates: Mapping[str, float], exact_below: int) -> Plan:
    chosen: Selection = await asked(said, where)
    async with codec_of(where, "replay") as codec:
        return await plan(kafka_settings(where), codec, chosen, rates, Effort(exact_below=exact_below))


async def _submitted(client: JobClient, request: Request, found: Plan, *, json: bool) -> None:
    """Ask for the job, say its id, and wait until an operator has taken it. Raises `NotRunningError` when none does."""
    job_id = await client.submit(request)
    if json:
        emit({"job": job_id, "plan": found.as_json()})
    else:
        out.print(job_id, markup=False)
        say(f"Watch it: roggia replay status {job_id} --watch")
    await taken(client, job_id)


async def _look(client: JobClient, job: str, *, watching: bool, json: bool) -> Job:
    return await watch(client, job, json=json) if watching else await client.get(job)


async def _replays(client: JobClient) -> list[Job]:
    return [job for job in await client.table() if job.wanted and job.wanted.kind is JobKind.REPLAY]


def _show(jobs: list[Job], *, json: bool) -> None:
    emit([job_row(job) for job in jobs]) if json else show_jobs(jobs)


async def _with(where: Connection, work: Callable[[JobClient], Awaitable[T]]) -> T:
    async with job_client(where, "replay") as client:
        return await work(client)
