"""`roggia audit log`: what the head log says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from roggia_auditor.heads.overview import overview
from roggia_auditor.settings import AuditorOptions
from roggia_runtime.settings import load

from roggia.cli import options
from roggia.cli.audit_common import opened
from roggia.cli.output import counted, emit, folding, out
from roggia.errors import UsageError


def log(
    leaves: Annotated[int, typer.Option("--leaves", min=0, help="How many of its last leaves to show.")] = 5,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="File that the newest checkpoint is written to.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Show the head log's newest checkpoint: its size and root, who signed, which witnesses, how large each log is.

    Reads the ledger that ROGGIA_AUDITOR_LEDGER names. Nothing is checked: that is for `verify` and `consistency`.
    """
    report, signed = asyncio.run(_report(load(AuditorOptions), leaves))
    if checkpoint is not None:
        if not signed:
            raise UsageError("--checkpoint: the ledger has none yet; the auditor signs them with a signing key")
        checkpoint.write_text(signed)
    if json:
        emit(report)
    else:
        _show(report)


async def _report(settings: AuditorOptions, leaves: int) -> tuple[Mapping[str, Any], str]:
    async with opened(settings) as ledger:
        kept = await ledger.kept(f"{settings.origin}/head")
        return await overview(ledger, settings.origin, leaves), "" if kept is None else kept[1]


def _show(report: Mapping[str, Any]) -> None:
    out.print(f"{report['origin']}: {counted(report['size'], 'leaf').replace('leafs', 'leaves')}", markup=False)
    if not report["size"]:
        return
    out.print(f"root {report['root']}", markup=False)
    for key in report["signed_by"]:
        out.print(f"signed by {key}", markup=False, soft_wrap=True)
    for one in report["witnesses"]:
        at = datetime.fromtimestamp(one["at"], UTC).isoformat()
        out.print(f"witnessed by {one['key']} at {at}", markup=False, soft_wrap=True)
    table = folding("log", "records", "next offset", "not sealed yet")
    for one in report["logs"]:
        newer = (one["records_now"] or 0) - one["records"]
        table.add_row(one["origin"], str(one["records"]), str(one["next_offset"]), str(newer))
    out.print(table)
    for leaf in report["leaves"]:
        if "keys" in leaf:
            out.print(f"leaf {leaf['index']}: keys {', '.join(leaf['keys'])}", markup=False, soft_wrap=True)
        else:
            out.print(f"leaf {leaf['index']}: {leaf['logs']} logs, {leaf['tenants']} tenants", markup=False)
