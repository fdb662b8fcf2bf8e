"""`roggia audit reconcile`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from roggia_auditor.checking.invoice import Billed, Difference, Statement, differences, parse
from roggia_auditor.checking.reconcile import Month, Reconciling, statement_of
from roggia_auditor.money import dollars, pico_of
from roggia_auditor.settings import AuditorOptions
from roggia_runtime.settings import load

from roggia.cli import options
from roggia.cli.audit_common import opened
from roggia.cli.audit_opened import logged
from roggia.cli.bars import records_bar
from roggia.cli.named_files import text_of
from roggia.cli.output import counted, emit, folding, out
from roggia.connection import Connection, Named, resolve
from roggia.errors import UsageError

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def reconcile(
    month: Annotated[str, typer.Option("--month", help="Month, YYYY-MM.")],
    tenant: Annotated[list[str] | None, typer.Option("--tenant", help="Only this tenant; repeatable.")] = None,
    invoice: Annotated[
        Path | None,
        typer.Option("--invoice", help="CSV file of a provider: provider, model, class, tokens, amount; `-`: stdin."),
    ] = None,
    tolerance: Annotated[
        str, typer.Option("--tolerance", help="US dollars by which the amounts of a line may differ.")
    ] = "0",
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Compare a month of the ledger with its records, and with a provider's invoice.

    The ledger's sums are those that the month counts, in each tenant's zone. An invoice is compared with what was
    called in the month in UTC, at the newest amounts, by model and class. Exit status 0: all agree, 1: they do not.
    """
    if not _MONTH.fullmatch(month):
        raise UsageError(f"--month: {month!r} is no month; write 2026-01")
    billed = None if invoice is None else parse(text_of("--invoice", invoice))
    allowed = abs(pico_of("--tolerance", tolerance))
    found = asyncio.run(_reconcile(resolve(Named(data, bootstrap, registry)), month, tenant or []))
    wrong = [] if billed is None else _differences(found, billed, allowed)
    if json:
        emit(_as_json(month, found, wrong))
    else:
        _show(month, found, wrong, invoice=billed is not None)
    raise typer.Exit(1 if found.report.count or wrong else 0)


async def _reconcile(where: Connection, month: str, tenants: Sequence[str]) -> Month:
    async with opened(load(AuditorOptions)) as ledger, logged(where) as held:
        total = sum(head.frontier.size for head in (await ledger.streams()).values())
        with records_bar("reconciled", total) as looked:
            return await Reconciling(ledger, held.codec, held.book, month).run(tenants, looked)


def _differences(found: Month, billed: Statement, allowed: int) -> list[Difference]:
    providers = sorted({line.provider for line in billed})
    return list(differences(statement_of(found, providers), billed, allowed))


def _show(month: str, found: Month, wrong: Sequence[Difference], *, invoice: bool) -> None:
    for place, what in found.report.findings:
        out.print(f"{place}: {what}", markup=False, soft_wrap=True)
    table = folding("provider", "model", "class", "tokens", "US dollars")
    for line, billed in sorted(found.statement.items()):
        table.add_row(*map(escape, (*line, f"{billed.tokens:,}", dollars(billed.pico_usd))))
    out.print(table if found.statement else f"No inference in {month} (UTC).")
    if found.unpriced:
        out.print(f"{counted(found.unpriced, 'attempt')} without a price: no amount above", markup=False)
    if wrong:
        out.print(_table(wrong))
    said = f"differ: {counted(found.report.count, 'finding')}" if found.report.count else "agree"
    out.print(f"{month}: sums and records {said}", markup=False)
    if invoice:
        out.print(
            f"{month}: records and invoice {f'differ on {len(wrong):,} lines' if wrong else 'agree'}", markup=False
        )


def _table(wrong: Sequence[Difference]) -> Any:
    table = folding("provider", "model", "class", "tokens: records", "invoice", "US dollars: records", "invoice")
    for line, records, invoice in wrong:
        cells = (
            f"{records.tokens:,}", f"{invoice.tokens:,}", dollars(records.pico_usd), dollars(invoice.pico_usd),
        )  # fmt: skip
        table.add_row(*map(escape, (*line, *cells)))
    return table


def _as_json(month: str, found: Month, wrong: Sequence[Difference]) -> dict[str, Any]:
    return {
        "month": month,
        "agrees": not found.report.count and not wrong,
        "sums": [one._asdict() for one in found.report.findings],
        "notes": found.report.notes,
        "unpriced": found.unpriced,
        "statement": [line._asdict() | _billed(billed) for line, billed in sorted(found.statement.items())],
        "invoice": [
            one.line._asdict() | {"records": _billed(one.records), "invoice": _billed(one.invoice)} for one in wrong
        ],
    }


def _billed(billed: Billed) -> dict[str, str]:
    """Integers as texts: beyond 2^53 a reader of JSON may make a float of them."""
    return {"tokens": str(billed.tokens), "pico_usd": str(billed.pico_usd)}
