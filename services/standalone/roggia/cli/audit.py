"""`roggia audit key`, `export`, `verify` and `siem`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from roggia_auditor import app as auditor
from roggia_auditor import verify_export
from roggia_auditor.export.readable import ReadableExport
from roggia_auditor.export.tables import Format
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ports import Ledger
from roggia_auditor.settings import AuditorOptions
from roggia_auditor.tlog.keys import SignerKey
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import RegistrySettings, load

from roggia.cli import options
from roggia.cli.audit_siem import siem
from roggia.cli.output import emit, out
from roggia.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="The audit log: keys, exports, and checking them.")
app.command("siem")(siem)
Folder = Annotated[Path, typer.Argument(help="Folder of the export.")]


@app.command("key")
def key(
    file: Annotated[Path, typer.Argument(help="File that the private key is written to; it must not be there yet.")],
    origin: Annotated[str, typer.Option("--origin", help="What the logs' names begin with: audit.example.com.")],
    json: options.Json = False,
) -> None:
    """Make the key that signs checkpoints. Prints the public one: give it to whoever is to verify."""
    made = SignerKey.generate(f"{origin.rstrip('/')}/head")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"FILE: {file} is there already; a key is never overwritten") from None
    with os.fdopen(descriptor, "w") as written:
        written.write(made.text() + "\n")
    if json:
        emit({"public_key": str(made.verifier()), "file": str(file)})
    else:
        out.print(str(made.verifier()), markup=False, soft_wrap=True)


@app.command("export")
def export(
    folder: Folder,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose records.")],
    formats: Annotated[
        list[Format] | None,
        typer.Option("--format", help="Also a table to read: readable.jsonl, .parquet or .csv; repeatable."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write all records of a tenant, with what proves them and that none is missing, into an empty folder.

    Reads the ledger that ROGGIA_AUDITOR_LEDGER names and signs with ROGGIA_AUDITOR_SIGNING_KEY.
    """
    manifest = asyncio.run(_export(load(AuditorOptions), tenant, folder, formats or []))
    if json:
        emit(manifest)
    else:
        out.print(f"{folder}: {manifest['records']} records of {tenant}", markup=False)


@app.command("verify")
def verify(
    folder: Folder,
    public_key: Annotated[str, typer.Option("--key", help="Public key of the head log, NAME+ID+BASE64.")],
    witness: Annotated[
        list[str] | None, typer.Option("--witness", help="Public key of a witness that must have signed; repeatable.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Check an export, offline: nothing is asked of anybody. Exit status 0: it holds, 1: it does not, 2: unreadable.

    The same as `python verify_export.py FOLDER --key …`, one file that an auditor can read.
    """
    try:
        report: dict[str, Any] = {"holds": True, **verify_export.check(folder, public_key, witness or [])}
    except verify_export.WrongError as wrong:
        report = {"holds": False, "why": str(wrong)}
    except verify_export.UNREADABLE as error:
        raise UsageError(f"FOLDER: {folder} cannot be read as an export: {error!r}") from error
    if json:
        emit(report)
    else:
        said = f"{report['records']} records of {report['tenant']}" if report["holds"] else report["why"]
        out.print(f"{'It holds' if report['holds'] else 'It does not hold'}: {said}", markup=False)
    raise typer.Exit(0 if report["holds"] else 1)


async def _export(settings: AuditorOptions, tenant: str, folder: Path, formats: Sequence[Format]) -> Any:
    if settings.signing_key is None:
        raise UsageError(
            "ROGGIA_AUDITOR_SIGNING_KEY: an export is proven under a signed checkpoint; name the key's file"
        )
    async with _ledger(settings) as ledger:
        sealed = await Sealer(ledger, settings.origin, auditor.signer_of(settings)).seal()
        streams = {stream.origin(settings.origin): stream for stream in await ledger.streams()}
        manifest = await TenantExport(ledger, sealed, streams).write(tenant, folder)
        if formats:
            codec = EventCodec(load(RegistrySettings), source=auditor.SOURCE)
            await codec.start()
            try:
                await ReadableExport(ledger, sealed, streams, codec).write(tenant, folder, formats)
            finally:
                await codec.stop()
        return manifest


@asynccontextmanager
async def _ledger(settings: AuditorOptions) -> AsyncIterator[Ledger]:
    ledger = auditor.ledger_of(settings)
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.stop()
