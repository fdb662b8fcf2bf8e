"""`roggia audit consistency`: whether one checkpoint's log goes on in another's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from roggia_auditor.errors import NoteError, ProofError
from roggia_auditor.heads import comparing
from roggia_auditor.heads.comparing import Pair
from roggia_auditor.settings import AuditorOptions
from roggia_auditor.tlog import note as notes
from roggia_auditor.tlog.keys import VerifierKey
from roggia_auditor.tlog.note import Note
from roggia_runtime.settings import load

from roggia.cli import options
from roggia.cli.audit_common import opened
from roggia.cli.output import emit, out
from roggia.errors import UsageError


def consistency(
    old: Annotated[Path, typer.Option("--old", help="File of the earlier checkpoint.")],
    new: Annotated[Path, typer.Option("--new", help="File of the later one.")],
    public_key: Annotated[
        list[str], typer.Option("--key", help="Public key of the log, NAME+ID+BASE64; repeatable, old and new ones.")
    ],
    proof: Annotated[
        Path | None, typer.Option("--proof", help="File of the proof: then nothing is asked of any ledger.")
    ] = None,
    write: Annotated[Path | None, typer.Option("--write", help="File that the ledger's proof is written to.")] = None,
    json: options.Json = False,
) -> None:
    """Check that a log's later state begins with its earlier one: nothing was changed or taken away in between.

    The proof is a file (offline), or is made of the ledger that ROGGIA_AUDITOR_LEDGER names. Exit status 0: it holds,
    1: it does not, 2: unreadable.
    """
    keys = [VerifierKey.parse(key) for key in public_key]
    signed, given = (_note("--old", old), _note("--new", new)), None if proof is None else _proof(proof)
    try:
        found, used = asyncio.run(_checked(*signed, keys, given))
    except ProofError as wrong:
        report: dict[str, Any] = {"holds": False, "why": str(wrong)}
    else:
        sizes = {"old": found.old.size, "new": found.new.size}
        report = {"holds": True, "origin": found.new.origin, **sizes, "hashes": len(used)}
        if write is not None:
            write.write_text(comparing.written(used))
    if json:
        emit(report)
    else:
        said = f"{report['origin']}, {report['old']} to {report['new']} leaves" if report["holds"] else report["why"]
        out.print(f"{'It holds' if report['holds'] else 'It does not hold'}: {said}", markup=False, soft_wrap=True)
    raise typer.Exit(0 if report["holds"] else 1)


async def _checked(
    old: Note, new: Note, keys: list[VerifierKey], given: list[bytes] | None
) -> tuple[Pair, list[bytes]]:
    found = comparing.pair(old, new, keys)
    proof = await _from_ledger(found) if given is None else given
    comparing.check(found, proof)
    return found, proof


async def _from_ledger(found: Pair) -> list[bytes]:
    settings = load(AuditorOptions)
    async with opened(settings) as ledger:
        return await comparing.prove(ledger, settings.origin, found)


def _note(option: str, file: Path) -> Note:
    try:
        return notes.parse(file.read_text())
    except (OSError, UnicodeDecodeError, NoteError) as error:
        raise UsageError(f"{option}: {file} cannot be read as a checkpoint: {error}") from error


def _proof(file: Path) -> list[bytes]:
    try:
        return comparing.read(file.read_text())
    except (OSError, UnicodeDecodeError, NoteError) as error:
        raise UsageError(f"--proof: {file} cannot be read as a proof: {error}") from error
