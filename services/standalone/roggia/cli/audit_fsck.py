"""`roggia audit fsck`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from roggia_auditor import parts as auditor
from roggia_auditor.checking.fsck import Check, Means
from roggia_auditor.checking.report import Report
from roggia_auditor.errors import LedgerError, LedgerUnavailableError, ProofError
from roggia_auditor.settings import AuditorOptions
from roggia_auditor.tlog import note
from roggia_auditor.tlog.keys import VerifierKey
from roggia_auditor.tlog.note import Note
from roggia_runtime.settings import load

from roggia.cli import options
from roggia.cli.audit_common import opened
from roggia.cli.audit_opened import logged
from roggia.cli.bars import records_bar
from roggia.cli.connected import codec_of
from roggia.cli.output import counted, emit, out
from roggia.connection import Connection, Named, resolve
from roggia.errors import NotRunningError, UsageError

_SHOWN = 100


def fsck(
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="Public key of the head log [that of ROGGIA_AUDITOR_SIGNING_KEY]; repeatable."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="A checkpoint of the head log from elsewhere, that the ledger must lead to."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask Kafka for prices: amounts are not rated again.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Hashes, trees and signatures alone; neither numbers, nor sums, nor prices.")
    ] = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Check the whole ledger without trusting it. Exit status 0: it holds, 1: it does not, 2: it cannot be read.

    Every hash, tile, root, number, checkpoint and sum is made again from the records and compared; amounts are rated
    again where the price log can be read. It changes nothing, and an auditor may go on meanwhile. Against a checkpoint
    that somebody else keeps, it also finds what an operator with the log's key has made anew.
    """
    settings = load(AuditorOptions)
    keys = [VerifierKey.parse(text) for text in key or ()] or _own(settings)
    where = None if offline or quick else _where(Named(data, bootstrap, registry))
    report = asyncio.run(_fsck(settings, _Asked(keys, quick, _published(checkpoint)), where))
    if json:
        emit(
            {
                "holds": not report.count,
                "records": report.records,
                "tenants": report.tenants,
                "wrong": report.count,
                "findings": [one._asdict() for one in report.findings],
                "notes": report.notes,
            }
        )
    else:
        _show(report)
    raise typer.Exit(1 if report.count else 0)


def _own(settings: AuditorOptions) -> list[VerifierKey]:
    return [] if settings.signing_key is None else [auditor.signer_of(settings).verifier()]


def _where(named: Named) -> Connection | None:
    """Where the price log is; None where no stack runs here and none is named."""
    try:
        return resolve(named)
    except NotRunningError:
        return None


class _Asked(NamedTuple):
    keys: Sequence[VerifierKey]
    quick: bool
    published: Note | None


def _published(file: Path | None) -> Note | None:
    if file is None:
        return None
    try:
        return note.parse(file.read_text())
    except (OSError, UnicodeDecodeError, ProofError) as error:
        raise UsageError(f"--checkpoint {file}: {error}") from error


async def _fsck(settings: AuditorOptions, asked: _Asked, where: Connection | None) -> Report:
    try:
        async with opened(settings) as ledger, _means(settings, asked.keys, where) as means:
            check = Check(ledger, replace(means, quick=asked.quick, published=asked.published))
            with records_bar("checked", await check.total()) as looked:
                return await check.run(looked)
    except ProofError as error:
        raise UsageError(f"--checkpoint: {error}") from error
    except (LedgerError, LedgerUnavailableError) as error:
        raise UsageError(f"ROGGIA_AUDITOR_LEDGER: {error}") from error


@asynccontextmanager
async def _means(
    settings: AuditorOptions, keys: Sequence[VerifierKey], where: Connection | None
) -> AsyncIterator[Means]:
    if where is None:
        async with codec_of(Connection("", "", ""), "audit") as codec:
            yield Means(codec, settings.origin, None, keys)
        return
    async with logged(where) as held:
        yield Means(held.codec, settings.origin, held.book, keys)


def _show(report: Report) -> None:
    for place, what in report.findings[:_SHOWN]:
        out.print(f"{place}: {what}", markup=False, soft_wrap=True)
    if report.count > _SHOWN:
        out.print(f"… {report.count - _SHOWN:,} more; --json names up to {len(report.findings):,}", markup=False)
    for text in report.notes:
        out.print(f"Not checked: {text}", markup=False, soft_wrap=True)
    looked = f"{counted(report.records, 'record')} of {counted(report.tenants, 'tenant')}"
    said = f"does not hold: {counted(report.count, 'finding')}" if report.count else "holds"
    out.print(f"{looked}: the ledger {said}", markup=False)
