"""`roggia audit segments list`, `seal`, `check` and `drop`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from roggia_auditor.periods import HOUR_MS
from roggia_auditor.retention.checking import check as check_segment
from roggia_auditor.retention.keeper import Keeper, again
from roggia_auditor.retention.planning import DAY_MS, Droppable, DropPlan, Sealable, SealPlan, droppable, sealable
from roggia_auditor.retention.segment import Segment, Share
from roggia_auditor.settings import AuditorOptions
from roggia_runtime.clock import now_ms
from roggia_runtime.settings import load

from roggia.cli import options
from roggia.cli.asking import agreed, somebody
from roggia.cli.audit_common import Confirm, Reason, folder_of, needed, opened, shown, typed
from roggia.cli.output import counted, emit, folding, out, say
from roggia.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Sealed segments: months of a stream in files of their own.")
Days = Annotated[int | None, typer.Option("--older-than", min=0, help="Days.")]


@app.command("list")
def list_(json: options.Json = False) -> None:
    """Show every segment, also those whose entries are dropped."""
    found = asyncio.run(_segments(load(AuditorOptions)))
    if json:
        emit([_row(one) for one in found])
        return
    table = folding("segment", "records", "tenants", "newest", "state")
    for one in found:
        row = _row(one)
        table.add_row(*(escape(str(row[name])) for name in ("segment", "records", "tenants", "newest", "state")))
    out.print(table if found else "No segments.")


@app.command("seal")
def seal(
    older_than: Annotated[
        int, typer.Option("--older-than", min=0, help="Days since the month was closed, its grace included.")
    ] = 0,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Move closed months from the ledger's tables into segments. Nothing is lost: they are read back before."""
    settings = load(AuditorOptions)
    folder_of(settings)
    plan = asyncio.run(_sealable(settings, older_than))
    ready = [one for one in plan.spans if not one.waits]
    if not json:
        _show([(one.span.name, one.shares, one.waits) for one in plan.spans], "Sealing", "is closed and not sealed")
    if ready and not yes and not dry_run:
        agreed(
            f"Seal {counted(len(ready), 'segment')}?",
            otherwise="--yes: nobody is there to confirm; give --yes to accept the plan",
            refused="nothing was sealed",
        )
    if not dry_run:
        asyncio.run(_seal(settings, plan, ready, reason.strip() or "by hand"))
    if json:
        emit([_planned(one.span.name, one.shares, one.waits) for one in plan.spans])


@app.command("check")
def check(json: options.Json = False) -> None:
    """Read every segment back: files, hashes, values, numbers, and the way to the signed root. Changes nothing."""
    count = asyncio.run(_check(load(AuditorOptions)))
    if json:
        emit({"checked": count})
    else:
        out.print(f"{counted(count, 'segment')}: all of it holds", markup=False)


@app.command("drop")
def drop(
    names: Annotated[list[str] | None, typer.Argument(help="Segments, as `list` names them.")] = None,
    older_than: Days = None,
    reason: Reason = "",
    confirm: Confirm = "",
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Drop entries and values of sealed segments, for ever. Hashes, sums and what says that it was done stay."""
    if bool(names) == (older_than is not None):
        raise UsageError("NAMES: name segments, or give --older-than DAYS")
    settings = load(AuditorOptions)
    folder_of(settings)
    plan = asyncio.run(_droppable(settings, names or (), older_than or 0))
    ready = [one for one in plan.segments if not one.waits]
    if not json or dry_run:
        _show_drop(plan.segments, json=json)
    if dry_run or not ready:
        return
    why, count = needed(reason), sum(share.records for one in ready for share in one.segment.shares)
    typed("how many records go, and the word records", confirm, f"{count} records")
    asyncio.run(_drop(settings, plan, ready, why))
    if json:
        emit([_planned(one.segment.span.name, one.segment.shares, one.waits) for one in plan.segments])


async def _segments(settings: AuditorOptions) -> Sequence[Segment]:
    async with opened(settings) as ledger:
        return await ledger.segments()


async def _sealable(settings: AuditorOptions, days: int) -> SealPlan:
    async with opened(settings) as ledger:
        grace_ms = round(settings.grace_hours * HOUR_MS)
        return await sealable(ledger, settings.origin, now_ms() - days * DAY_MS, grace_ms)


async def _droppable(settings: AuditorOptions, names: Sequence[str], days: int) -> DropPlan:
    async with opened(settings) as ledger:
        found = await droppable(ledger, now_ms() - days * DAY_MS, names)
    if missing := sorted(set(names) - {one.segment.span.name for one in found.segments}):
        raise UsageError(f"NAMES: {missing[0]} is no segment that could be dropped; `list` shows all")
    return found


async def _seal(settings: AuditorOptions, plan: SealPlan, ready: Sequence[Sealable], reason: str) -> None:
    async with opened(settings) as ledger:
        keeper = Keeper(ledger, folder_of(settings), settings.origin, somebody())
        await keeper.tidy()
        for one in ready:
            await keeper.seal(one, await again(ledger, plan.judged), reason)
            say(f"{one.span.name}: sealed")


async def _check(settings: AuditorOptions) -> int:
    async with opened(settings) as ledger:
        kept = [one for one in await ledger.segments() if not one.dropped]
        for one in kept:
            await check_segment(ledger, folder_of(settings), one)
        return len(kept)


async def _drop(settings: AuditorOptions, plan: DropPlan, ready: Sequence[Droppable], reason: str) -> None:
    async with opened(settings) as ledger:
        keeper = Keeper(ledger, folder_of(settings), settings.origin, somebody())
        await keeper.tidy()
        for one in ready:
            await keeper.drop(one, await again(ledger, plan.judged), reason)
            say(f"{one.segment.span.name}: dropped")


def _row(one: Segment) -> dict[str, Any]:
    said = {"segment": one.span.name, "records": one.span.end - one.span.first, "tenants": len(one.shares)}
    return {**said, "newest": shown(one.newest), "state": "dropped" if one.dropped else "sealed"}


def _planned(name: str, shares: Sequence[Share], waits: str) -> dict[str, Any]:
    records = sum(share.records for share in shares)
    return {"segment": name, "records": records, "tenants": len(shares), "waits": waits or None}


def _show(found: Sequence[tuple[str, Sequence[Share], str]], doing: str, nothing: str) -> None:
    out.print(f"{doing}:" if found else f"Nothing {nothing}.")
    table = folding("segment", "records", "tenants", "waits for")
    for name, shares, waits in found:
        row = _planned(name, shares, waits)
        table.add_row(escape(name), f"{row['records']:,}", f"{row['tenants']:,}", escape(waits))
    if found:
        out.print(table)


def _show_drop(segments: Sequence[Droppable], *, json: bool) -> None:
    found = [(one.segment.span.name, one.segment.shares, one.waits) for one in segments]
    if json:
        emit([_planned(*one) for one in found])
        return
    _show(found, "Dropping for ever: entries and values of", "is sealed and so old")
