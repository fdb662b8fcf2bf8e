"""`roggia audit rerate`, which is also `roggia auditor rerate`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, NamedTuple

import typer
from rich.markup import escape
from roggia_auditor import parts as auditor
from roggia_auditor import periods
from roggia_auditor.correcting.choosing import Choice
from roggia_auditor.correcting.correction import Ground, Left
from roggia_auditor.correcting.planning import Plan
from roggia_auditor.correcting.rerating import Rerater, newest
from roggia_auditor.money import dollars
from roggia_auditor.ports import Ledger
from roggia_auditor.settings import AuditorOptions
from roggia_runtime.clock import now_ms
from roggia_runtime.settings import load

from roggia.cli import options
from roggia.cli.asking import at_terminal, somebody
from roggia.cli.audit_common import opened
from roggia.cli.audit_opened import Logged, logged
from roggia.cli.bars import records_bar
from roggia.cli.output import counted, emit, folding, out
from roggia.cli.replay_options import moment
from roggia.connection import Connection, Named, resolve
from roggia.errors import StandaloneError, UsageError

app = typer.Typer(no_args_is_help=True, help="The auditor's work by hand; everything else of it is `roggia audit`.")
_SAID = {
    Left.SAME: "come to what was booked",
    Left.NO_PRICE: "have no price now, and stay as they are",
    Left.UNREADABLE: "cannot be read any more, and stay as they are",
    Left.UNEXPLAINED: "were not booked as the price log says, and stay as they are",
}


@app.callback()
def _group() -> None:
    pass


@app.command("rerate")
def rerate(
    tenant: Annotated[str, typer.Option("--tenant", help="Only this tenant's records.")] = "",
    model: Annotated[
        str, typer.Option("--model", help="Only records that used this model: NAME, or PROVIDER/NAME.")
    ] = "",
    since: Annotated[str, typer.Option("--from", help="Only records from this time on: ISO 8601, or 2h, 3d ago.")] = "",
    until: Annotated[str, typer.Option("--to", help="Only records before this time.")] = "",
    price_version: Annotated[
        str, typer.Option("--price-version", help="Only records whose amount rests on this version of the price book.")
    ] = "",
    unpriced: Annotated[bool, typer.Option("--unpriced", help="Only records without an amount.")] = False,
    why: Annotated[str, typer.Option("--why", help="Why, in words; kept with every correction.")] = "",
    confirm: Annotated[
        int | None, typer.Option("--confirm", help="How many records the plan corrects; without it you type it.")
    ] = None,
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Rate records again by the prices that the log has now, and book the difference.

    What was booked stays for ever; each correction is an entry of its own, proven like every record. A month that is
    closed does not move: its corrections are booked in the open one. Run again after anything: what is done is not
    done twice.
    """
    choice = Choice(tenant, model, moment("--from", since), moment("--to", until), price_version, unpriced)
    asked = _Asked(confirm, why, dry_run, json)
    asyncio.run(_rerate(resolve(Named(data, bootstrap, registry)), choice, asked))


class _Asked(NamedTuple):
    """What the user said of carrying it out."""

    confirm: int | None
    why: str
    dry_run: bool
    json: bool


async def _rerate(where: Connection, choice: Choice, asked: _Asked) -> None:
    settings = load(AuditorOptions)
    async with opened(settings) as ledger, logged(where) as held:
        run = Rerater(ledger, held.codec, await _ground(settings, ledger, held), choice)
        with records_bar("planned", await run.size()) as looked:
            plan = await run.plan(looked)
        if not asked.json:
            _show(plan)
        if asked.dry_run or not plan.corrected:
            _report(plan, None, asked)
            return
        _typed(plan, asked)
        with records_bar("corrected", await run.size()) as looked:
            done = await run.act(somebody(), asked.why, looked)
        _report(plan, done, asked)


async def _ground(settings: AuditorOptions, ledger: Ledger, held: Logged) -> Ground:
    zones, at = auditor.zones_of(held.tenants), await newest(ledger, held.book)
    grace_ms = round(settings.grace_hours * periods.HOUR_MS)
    if periods.closes_at(periods.month(periods.day(at, "UTC")), "UTC", grace_ms) <= now_ms():
        raise StandaloneError(
            "the newest record and price of the log are of a month that is closed: corrections would be booked in it; "
            "run it again when the log has a record of this month"
        )
    return Ground(held.book, at, zones, auditor.limits_of(held.tenants), grace_ms)


def _typed(plan: Plan, asked: _Asked) -> None:
    """Raises `UsageError` unless the number of records was typed, and a reason was given."""
    if not asked.why:
        raise UsageError("--why: corrections keep their reason; give --why TEXT")
    if asked.confirm is None:
        at_terminal(f"--confirm: nobody is there to type the number of records; give --confirm {plan.corrected}")
    typed = asked.confirm
    if typed is None:
        typed = typer.prompt("Corrections stay for ever. Type the number of records to correct", type=int, err=True)
    if typed != plan.corrected:
        raise UsageError(f"--confirm: the plan corrects {plan.corrected}, not {typed}; nothing was done")


def _report(plan: Plan, done: Plan | None, asked: _Asked) -> None:
    if asked.json:
        emit({"plan": _as_json(plan), "done": None if done is None else _as_json(done)})
    elif done is not None:
        out.print(f"Corrected {counted(done.corrected, 'record')}: {_signed(done.pico_usd)} US dollars.", markup=False)


def _show(plan: Plan) -> None:
    out.print(f"{counted(plan.looked, 'record')} looked at, {plan.chosen:,} chosen", markup=False)
    if plan.totals:
        table = folding("tenant", "month", "booked in", "records", "US dollars")
        for (tenant, period, booked), total in sorted(plan.totals.items()):
            table.add_row(*map(escape, (tenant, period, booked, f"{total.records:,}", _signed(total.pico_usd))))
        out.print(table)
        out.print(f"To correct: {counted(plan.corrected, 'record')}, {_signed(plan.pico_usd)} US dollars", markup=False)
    else:
        out.print("Nothing to correct.")
    for left, count in sorted(plan.left.items()):
        out.print(f"{counted(count, 'record')} {_SAID[left]}", markup=False)
    for place in plan.unexplained:
        out.print(f"  {place}", markup=False)


def _as_json(plan: Plan) -> dict[str, Any]:
    return {
        "looked": plan.looked,
        "chosen": plan.chosen,
        "records": plan.corrected,
        "pico_usd": str(plan.pico_usd),
        "left": {left.value: count for left, count in sorted(plan.left.items())},
        "unexplained": plan.unexplained,
        "totals": [
            {
                "tenant": tenant,
                "period": period,
                "booked": booked,
                "records": one.records,
                "pico_usd": str(one.pico_usd),
            }
            for (tenant, period, booked), one in sorted(plan.totals.items())
        ],
    }


def _signed(pico: int) -> str:
    return ("+" if pico >= 0 else "") + dollars(pico)
