"""`roggia audit hold place`, `lift` and `list`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape
from roggia_auditor.retention import holds
from roggia_auditor.retention.history import history, record
from roggia_auditor.retention.holds import Hold
from roggia_auditor.settings import AuditorOptions
from roggia_runtime.clock import now_ms
from roggia_runtime.settings import load
from roggia_schemas.names import check_slug

from roggia.cli import options
from roggia.cli.asking import somebody
from roggia.cli.audit_common import Reason, moment, needed, opened, shown
from roggia.cli.output import emit, folding, out
from roggia.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Legal holds: what must stay, whatever retention or an erasure says.")


@app.command("place")
def place(
    reason: Reason,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose records and payloads.")] = "",
    everyone: Annotated[bool, typer.Option("--all-tenants", help="Those of every tenant.")] = False,
    since: Annotated[str, typer.Option("--from", help="First day or time, UTC; without it from the beginning.")] = "",
    until: Annotated[str, typer.Option("--until", help="First day or time behind, UTC; without it for ever.")] = "",
    json: options.Json = False,
) -> None:
    """Hold records and payloads of a time: nothing of it is sealed away, dropped or erased until the hold is lifted."""
    if bool(tenant) == everyone:
        raise UsageError("--tenant: name a tenant, or give --all-tenants")
    if tenant:
        check_slug("--tenant", tenant)
    begin, end = moment("--from", since), moment("--until", until)
    if begin is not None and end is not None and begin >= end:
        raise UsageError(f"--until: {until} is not after --from {since}")
    hold = Hold("", tenant, begin, end, needed(reason), somebody(), now_ms())
    name = asyncio.run(_place(load(AuditorOptions), hold))
    if json:
        emit({"hold": name})
    else:
        out.print(f"{name}: placed", markup=False)


@app.command("lift")
def lift(
    name: Annotated[str, typer.Argument(help="The hold, hold-N.")],
    reason: Reason,
    json: options.Json = False,
) -> None:
    """Lift a hold. It stays in the log with both reasons; what it held may go by the rules of retention again."""
    asyncio.run(_lift(load(AuditorOptions), name, needed(reason)))
    if json:
        emit({"hold": name, "lifted": True})
    else:
        out.print(f"{name}: lifted", markup=False)


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that were lifted too.")] = False,
    json: options.Json = False,
) -> None:
    """Show the holds, with who placed them, when and why."""
    found = [hold for hold in asyncio.run(_holds(load(AuditorOptions))) if every or hold.lifted is None]
    if json:
        emit([_row(hold) for hold in found])
        return
    table = folding("hold", "tenant", "from", "until", "placed", "by", "reason", "lifted")
    for hold in found:
        table.add_row(*(escape(str(cell)) for cell in _cells(hold)))
    out.print(table if found else "No holds.")


async def _place(settings: AuditorOptions, hold: Hold) -> str:
    async with opened(settings) as ledger:
        return f"hold-{await record(ledger, await history(ledger), holds.placing(hold))}"


async def _lift(settings: AuditorOptions, name: str, reason: str) -> None:
    async with opened(settings) as ledger:
        judged = await history(ledger)
        await record(ledger, judged, holds.lifting(holds.named(judged.holds, name), somebody(), now_ms(), reason))


async def _holds(settings: AuditorOptions) -> list[Hold]:
    async with opened(settings) as ledger:
        return list((await history(ledger)).holds)


def _row(hold: Hold) -> dict[str, Any]:
    times = {"since": shown(hold.since), "until": shown(hold.until), "at": shown(hold.at)}
    lifted = None if hold.lifted is None else {**asdict(hold.lifted), "at": shown(hold.lifted.at)}
    return {**asdict(hold), **times, "lifted": lifted}


def _cells(hold: Hold) -> tuple[str, ...]:
    lifted = "" if hold.lifted is None else f"{shown(hold.lifted.at)} by {hold.lifted.by}: {hold.lifted.reason}"
    whose, times = hold.tenant or "every one", (shown(hold.since), shown(hold.until), shown(hold.at))
    return hold.name, whose, *times, hold.by, hold.reason, lifted
