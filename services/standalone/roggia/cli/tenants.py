"""`roggia tenants apply`, `list` and `offboard`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table
from roggia_operator.errors import SelectionError
from roggia_operator.jobs.client import Request
from roggia_operator.jobs.table import Job
from roggia_operator.tenants.changes import Change, changes, record
from roggia_operator.tenants.registry import TenantRegistry
from roggia_operator.tenants.remains import remains
from roggia_operator.tenants.survey import Holdings, Log, survey
from roggia_operator.tenants.wanted import NOT_ENFORCED, Wanted, read
from roggia_runtime.codec import EventCodec
from roggia_schemas.events import JobKind, TenantConfig
from roggia_schemas.names import check_slug

from roggia.cli import options
from roggia.cli.asking import agreed, at_terminal, somebody
from roggia.cli.connected import codec_of, job_client
from roggia.cli.jobs import judged, taken
from roggia.cli.named_files import text_of
from roggia.cli.output import counted, emit, folding, out, say
from roggia.cli.replay_views import watch
from roggia.connection import Connection, Named, resolve
from roggia.errors import UsageError
from roggia.publishing.publisher import kafka_settings

app = typer.Typer(no_args_is_help=True, help="Tenants: what holds for each, and how one leaves.")
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(help="YAML file with `tenants:`; `-` reads standard input.")],
    reactivate: Annotated[
        list[str] | None, typer.Option("--reactivate", help="Offboarded tenant of the file to bring back; repeatable.")
    ] = None,
    yes: Yes = False,
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Make tenants' limits, time zone and retention as a file says. Tenants that it leaves out stay as they are.

    Ingest enforces `limits.domains`, `limits.documents` and `retention_days`. `limits.requests_per_minute`,
    `limits.tokens_per_minute`, `pii_mode` and `time_zone` are kept for services to come: nothing enforces them yet.
    """
    wanted = read(text_of("FILE", file))
    where = resolve(Named(data, bootstrap, registry))
    found = asyncio.run(_changes(where, wanted, reactivate or ()))
    to_do = [change for change in found if change.new or change.differences]
    if not json:
        _show_changes(to_do)
    if to_do and not yes and not dry_run:
        agreed(
            f"Change {counted(len(to_do), 'tenant')}?",
            otherwise="--yes: nobody is there to confirm; give --yes to accept the difference",
            refused="nothing was changed",
        )
    if not dry_run:
        asyncio.run(_write(where, to_do))
    if json:
        emit([_change_row(one) for one in found])


@app.command("list")
def list_(
    count: Annotated[bool, typer.Option("--count/--no-count", help="Count documents, by reading the corpus.")] = True,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Show what holds for each tenant, and how many documents, chunks and domains it has on the log."""
    rows = asyncio.run(_rows(resolve(Named(data, bootstrap, registry)), count=count))
    if json:
        emit(rows)
        return
    names = ("tenant", "status", "time zone", "retention", "limits", "documents", "chunks", "domains")
    table = folding(*names)
    for row in rows:
        shown = row | {"limits": _limits(row["limits"])}
        table.add_row(*(escape(_cell(shown[name.replace(" ", "_")])) for name in names))
    out.print(table if rows else "No tenants.")


@app.command("offboard")
def offboard(
    tenant: Annotated[str, typer.Argument(help="The tenant whose documents are to go.")],
    confirm: Annotated[
        str, typer.Option("--confirm", help="The tenant's name again; without it you are asked to type it.")
    ] = "",
    dry_run: options.DryRun = False,
    follow: Annotated[bool, typer.Option("--watch/--no-watch", help="Follow the job to its end.")] = True,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the job.")] = "",
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Delete everything of a tenant: documents, vectors, cache and catalogue rows. There is no way back."""
    check_slug("TENANT", tenant)
    where = resolve(Named(data, bootstrap, registry))
    found, config = asyncio.run(_plan(where, tenant))
    if config is None and not found.rows:
        raise SelectionError(
            f"TENANT: {tenant!r} has no configuration and no document; `roggia tenants list` shows all"
        )
    if not json or dry_run:
        _show_plan(tenant, found, config, asyncio.run(_remains(where)), json=json)
    if dry_run:
        return
    _typed(tenant, confirm)
    request = Request(JobKind.OFFBOARD, msgspec.json.encode({"tenant": tenant}).decode(), {}, somebody(), reason)
    job = asyncio.run(_submit(where, request, follow=follow, json=json))
    judged(job)


async def _changes(where: Connection, wanted: Mapping[str, Wanted], reactivate: list[str] | tuple[()]) -> list[Change]:
    async with _registry(where) as (tenants, _):
        return changes(wanted, await tenants.held(), reactivate)


async def _write(where: Connection, to_do: list[Change]) -> None:
    if to_do:
        async with _registry(where) as (tenants, _):
            await tenants.write([record(change, somebody()) for change in to_do])


async def _rows(where: Connection, *, count: bool) -> list[dict[str, Any]]:
    async with _registry(where) as (tenants, codec):
        held = await tenants.held()
        found = await survey(Log(kafka_settings(where)), codec) if count else {}
    return [_row(name, held.get(name), found.get(name), count=count) for name in sorted(held.keys() | found.keys())]


async def _plan(where: Connection, tenant: str) -> tuple[Holdings, TenantConfig | None]:
    async with _registry(where) as (tenants, codec):
        found = await survey(Log(kafka_settings(where)), codec, tenant)
        return found[tenant], (await tenants.held()).get(tenant)


async def _remains(where: Connection) -> list[dict[str, Any]]:
    known = await Log(kafka_settings(where)).partitions()
    return [asdict(one) for one in remains(sorted(known))]


async def _submit(where: Connection, request: Request, *, follow: bool, json: bool) -> Job:
    async with job_client(where, "tenants") as client:
        job_id = await client.submit(request)
        say(f"{job_id}: the operator service does it; Ctrl-C leaves it running")
        job = await (watch(client, job_id, json=json) if follow else taken(client, job_id))
    if not json:
        out.print(job.state.message if job.state and job.state.message else job_id, markup=False)
    return job


@asynccontextmanager
async def _registry(where: Connection) -> AsyncIterator[tuple[TenantRegistry, EventCodec]]:
    async with codec_of(where, "tenants") as codec, TenantRegistry(kafka_settings(where), codec) as tenants:
        yield tenants, codec


def _row(name: str, held: TenantConfig | None, found: Holdings | None, *, count: bool) -> dict[str, Any]:
    found = found or Holdings()
    return {
        "tenant": name,
        "status": held.status.value if held else "ACTIVE",
        "configured": held is not None,
        "time_zone": held.time_zone if held else "UTC",
        "retention": held.retention_days if held else None,
        "limits": dict(held.limits) if held else {},
        "documents": found.documents if count else None,
        "chunks": found.chunks if count else None,
        "domains": sorted(found.domains) if count else None,
    }


def _change_row(change: Change) -> dict[str, Any]:
    return {
        "tenant": change.tenant_id,
        "new": change.new,
        "differences": change.differences,
        "not_enforced": change.wanted.without_effect(),
    }


def _limits(limits: Mapping[str, int]) -> str:
    said = (f"{name} {limit:,}{' (not enforced)' * (name in NOT_ENFORCED)}" for name, limit in limits.items())
    return ", ".join(said) or "none"


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {limit:,}" for name, limit in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value or "–")


def _show_changes(to_do: list[Change]) -> None:
    if not to_do:
        out.print("Nothing to do.")
    for change in to_do:
        out.print(f"{change.tenant_id}{' (new)' if change.new else ''}", markup=False)
        for name, before, after in change.differences:
            out.print(f"  {name}: {before or 'none'} → {after or 'none'}", markup=False)
        if kept := change.wanted.without_effect():
            out.print(f"  kept only, nothing enforces it yet: {', '.join(kept)}", markup=False)


def _show_plan(
    tenant: str, found: Holdings, config: TenantConfig | None, left: list[dict[str, Any]], *, json: bool
) -> None:
    goes = {
        "documents": found.documents,
        "chunks": found.chunks,
        "vectors": found.vectors,
        "catalogue_rows": found.rows,
        "domains": sorted(found.domains),
        "kept_aside": dict(found.by_topic),
    }
    if json:
        status = config.status.value if config else None
        emit({"tenant": tenant, "status": status, "goes": goes, "remains": left})
        return
    out.print(f"Offboarding {tenant}: what goes", markup=False)
    table = Table(show_header=False, box=None)
    for name, value in goes.items():
        table.add_row(name.replace("_", " "), escape(_cell(value)))
    out.print(table)
    out.print("What remains for a while")
    rest = folding("where", "what", "until", "why")
    for one in left:
        rest.add_row(*(escape(one[name]) for name in ("where", "what", "until", "why")))
    out.print(rest)


def _typed(tenant: str, confirm: str) -> None:
    """Raises `UsageError` unless the tenant's name was typed."""
    if not confirm:
        at_terminal(f"--confirm: nobody is there to type the name; give --confirm {tenant}")
    typed = confirm or typer.prompt("There is no way back. Type the tenant's name", err=True)
    if typed.strip() != tenant:
        raise UsageError(f"--confirm: {typed!r} is not {tenant!r}; nothing was done")
