"""`roggia audit`: `key`, `export` and `verify`, and what has modules of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from roggia_auditor import verify_export
from roggia_auditor.export.readable import ReadableExport
from roggia_auditor.export.tables import Format
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.export.tiles import TilesExport
from roggia_auditor.parts import SOURCE
from roggia_auditor.settings import AuditorOptions
from roggia_auditor.tlog.keys import Kind, SignerKey
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import RegistrySettings, load

from roggia.cli import audit_erase, audit_hold, audit_segments, options
from roggia.cli.audit_common import not_shown, opened, sealed
from roggia.cli.audit_consistency import consistency
from roggia.cli.audit_fsck import fsck
from roggia.cli.audit_log import log
from roggia.cli.audit_prove import prove
from roggia.cli.audit_reconcile import reconcile
from roggia.cli.audit_rerate import rerate
from roggia.cli.audit_siem import siem
from roggia.cli.audit_token import token
from roggia.cli.output import emit, out
from roggia.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="The audit log: keys, exports, and checking them.")
app.command("token")(token)
app.add_typer(audit_hold.app, name="hold")
app.add_typer(audit_segments.app, name="segments")
app.command("erase")(audit_erase.erase)
app.command("prove")(prove)
app.command("consistency")(consistency)
app.command("log")(log)
app.command("fsck")(fsck)
app.command("reconcile")(reconcile)
app.command("rerate")(rerate)
app.command("siem")(siem)
Folder = Annotated[Path, typer.Argument(help="Folder of the export.")]


@app.command("key")
def key(
    file: Annotated[Path, typer.Argument(help="File that the private key is written to; it must not be there yet.")],
    origin: Annotated[
        str,
        typer.Option(
            "--origin", help="What the logs' names begin with: audit.example.com; of a witness, its own name."
        ),
    ] = "",
    witness: Annotated[bool, typer.Option("--witness", help="The key of a witness (roggia_auditor.witness).")] = False,
    show: Annotated[bool, typer.Option("--show", help="Make none: print the public key of the one in FILE.")] = False,
    json: options.Json = False,
) -> None:
    """Make the key that signs checkpoints. Prints the public one: give it to whoever is to verify."""
    if show:
        _print_key(_kept(file), file, json=json)
        return
    name = origin.rstrip("/")
    if not name:
        raise UsageError("--origin: say what the logs' names begin with, such as audit.example.com")
    made = SignerKey.generate(name, Kind.WITNESS) if witness else SignerKey.generate(f"{name}/head")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"FILE: {file} is there already; a key is never overwritten") from None
    with os.fdopen(descriptor, "w") as written:
        written.write(made.text() + "\n")
    _print_key(made, file, json=json)


def _kept(file: Path) -> SignerKey:
    try:
        return SignerKey.parse(file.read_text())
    except OSError as error:
        raise UsageError(f"FILE: {file} cannot be read ({error.strerror})") from error


def _print_key(key: SignerKey, file: Path, *, json: bool) -> None:
    if json:
        emit({"public_key": str(key.verifier()), "file": str(file)})
    else:
        out.print(str(key.verifier()), markup=False, soft_wrap=True)


@app.command("export")
def export(
    folder: Folder,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose records.")] = "",
    tiles: Annotated[
        bool, typer.Option("--tiles", help="All logs of all tenants instead, in the layout of C2SP tlog-tiles.")
    ] = False,
    formats: Annotated[
        list[Format] | None,
        typer.Option("--format", help="Also a table to read: readable.jsonl, .parquet or .csv; repeatable."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write all records of a tenant, with what proves them and that none is missing, into an empty folder.

    Reads the ledger that ROGGIA_AUDITOR_LEDGER names and signs with ROGGIA_AUDITOR_SIGNING_KEY.
    """
    if bool(tenant) == tiles:
        raise UsageError("--tenant, --tiles: name the tenant, or ask for all logs")
    if tiles and formats:
        raise UsageError("--format: tables are of one tenant; give --tenant")
    settings = load(AuditorOptions)
    report = asyncio.run(_tiles(settings, folder) if tiles else _export(settings, tenant, folder, formats or []))
    if json:
        emit(report)
    elif tiles:
        out.print(f"{folder}: {', '.join(f'{name} ({size})' for name, size in report.items())}", markup=False)
    else:
        out.print(f"{folder}: {report['records']} records of {tenant}", markup=False)


@app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of an export, or file of a record's proof.")],
    public_key: Annotated[
        list[str],
        typer.Option("--key", help="Public key of the head log, NAME+ID+BASE64; repeatable, old and new ones."),
    ],
    witness: Annotated[
        list[str] | None, typer.Option("--witness", help="Public key of a witness that must have signed; repeatable.")
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Records that were dropped are records that are missing.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Check an export or a proof, offline: nothing is asked of anybody.

    Exit status 0: it holds, 1: it does not, 2: unreadable.

    The same as `python verify_export.py FOLDER --key …`, one file that an auditor can read.
    """
    checked = verify_export.check if folder.is_dir() else verify_export.check_proof
    try:
        report: dict[str, Any] = {"holds": True, **checked(folder, " ".join(public_key), witness or [])}
    except verify_export.WrongError as wrong:
        report = {"holds": False, "why": str(wrong)}
    except verify_export.UNREADABLE as error:
        raise UsageError(f"FOLDER: {folder} cannot be read as an export or a proof: {error!r}") from error
    if complete and report["holds"] and not report.get("complete", True):
        report |= {"holds": False, "why": "records are not shown: they were dropped"}
    if json:
        emit(report)
    else:
        said = _said(report) if report["holds"] else report["why"]
        out.print(f"{'It holds' if report['holds'] else 'It does not hold'}: {said}", markup=False)
        for part in report.get("not_shown", ()):
            out.print(not_shown(part), markup=False)
    raise typer.Exit(0 if report["holds"] else 1)


def _said(report: dict[str, Any]) -> str:
    if "records" in report:
        return f"{report['records']} records of {report['tenant']}"
    return f"record {report['index']} of {report['log']}, of {report['tenant'] or 'no tenant'}"


async def _export(settings: AuditorOptions, tenant: str, folder: Path, formats: Sequence[Format]) -> Any:
    async with opened(settings) as ledger:
        under = await sealed(settings, ledger, "an export")
        streams = {stream.origin(settings.origin): stream for stream in await ledger.streams()}
        manifest = await TenantExport(ledger, under, streams).write(tenant, folder)
        if formats:
            codec = EventCodec(load(RegistrySettings), source=SOURCE)
            await codec.start()
            try:
                await ReadableExport(ledger, under, streams, codec).write(tenant, folder, formats)
            finally:
                await codec.stop()
        return manifest


async def _tiles(settings: AuditorOptions, folder: Path) -> Any:
    async with opened(settings) as ledger:
        under = await sealed(settings, ledger, "an export")
        streams = {stream.origin(settings.origin): stream for stream in await ledger.streams()}
        return await TilesExport(ledger, under, streams, settings.origin).write(folder)
