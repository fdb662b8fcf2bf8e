"""`roggia audit prove`: one record with its proof, in one file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from roggia_auditor.export.record import prove as proven
from roggia_auditor.settings import AuditorOptions
from roggia_auditor.tlog.proof_file import ProofFile
from roggia_runtime.settings import load

from roggia.cli import options
from roggia.cli.audit_common import opened, sealed
from roggia.cli.output import emit, out
from roggia.errors import UsageError

_MANY = 20


def prove(
    file: Annotated[Path, typer.Argument(help="File that the proof is written to, such as RECORD.tlog-proof.")],
    event: Annotated[str, typer.Option("--event", help="The record's event id.")] = "",
    request: Annotated[str, typer.Option("--request", help="Its request id.")] = "",
    response: Annotated[str, typer.Option("--response", help="Its response id.")] = "",
    trace: Annotated[str, typer.Option("--trace", help="Its trace id.")] = "",
    json: options.Json = False,
) -> None:
    """Write one record with what proves it (C2SP tlog-proof); `roggia audit verify FILE --key …` checks it.

    Reads the ledger that ROGGIA_AUDITOR_LEDGER names and signs with ROGGIA_AUDITOR_SIGNING_KEY; the witnesses of
    ROGGIA_AUDITOR_ANCHOR__WITNESSES sign too.
    """
    asked = {"event_id": event.lower(), "request_id": request, "response_id": response, "trace_id": trace}
    given = [(field, value) for field, value in asked.items() if value]
    if len(given) != 1:
        raise UsageError("--event, --request, --response, --trace: name the record by one of them")
    if file.exists():
        raise UsageError(f"FILE: {file} is there already; name another")
    proof, report = asyncio.run(_prove(load(AuditorOptions), *given[0]))
    file.write_text(str(proof))
    report = {"file": str(file), **report}
    if json:
        emit(report)
    else:
        out.print(f"{file}: record {report['index']} of {report['log']}", markup=False, soft_wrap=True)


async def _prove(settings: AuditorOptions, field: str, value: str) -> tuple[ProofFile, dict[str, Any]]:
    async with opened(settings) as ledger:
        found = await ledger.find(field, value, _MANY)
        if len(found) != 1:
            raise UsageError(_which(field, value, [leaf.event_id for _, leaf, _ in found]))
        ((stream, leaf, index),) = found
        origin = stream.origin(settings.origin)
        proof = await proven(ledger, await sealed(settings, ledger, "a record"), origin, stream, index)
        return proof, {"log": origin, "index": index, "event_id": leaf.event_id, "tenant": leaf.tenant}


def _which(field: str, value: str, events: list[str]) -> str:
    if not events:
        return f"{field}: the audit log has no record with {value!r}"
    return f"{field}: {len(events)} records have {value!r}; name one by --event: {', '.join(events)}"
