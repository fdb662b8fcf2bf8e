"""`roggia audit siem`: records of the ledger for security monitoring."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from roggia_auditor import parts as auditor
from roggia_auditor.settings import AuditorOptions
from roggia_auditor.siem.output import Output, continued, positions, save
from roggia_auditor.siem.stream import Asked, Format, Positions, SiemStream
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import RegistrySettings, load

from roggia.cli.audit_common import ledger_there
from roggia.cli.output import counted, say

_LOOK_S = 1.0


def siem(
    kind: Annotated[Format, typer.Option("--format", help="ocsf: JSON lines, OCSF 1.8.0; cef: CEF version 0.")],
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", help="File that remembers where the last run stopped, and from where this one goes on."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to append to [standard output].")] = None,
    start: Annotated[
        int, typer.Option("--start", min=0, help="First record of every log that the state does not name.")
    ] = 0,
    tenant: Annotated[str, typer.Option("--tenant", help="Only this tenant's records.")] = "",
    subjects: Annotated[
        bool, typer.Option("--subjects", help="With the pseudonym of who asked, which is left out otherwise.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")] = False,
) -> None:
    """Write records of the audit log for a SIEM, each log in its order, from where the last run stopped.

    Reads the ledger that ROGGIA_AUDITOR_LEDGER names. A crash repeats lines, and loses none: `metadata.uid` (OCSF)
    and the log's position (CEF) are the same then.
    """
    asked = Asked(kind, version("roggia"), tenant, subjects)
    with ExitStack() as files:
        file = sys.stdout.buffer if out is None else files.enter_context(continued(out))
        count = asyncio.run(_write(asked, Output(file, durable=out is not None), state, start, follow=follow))
    say(counted(count, "record"))


async def _write(asked: Asked, output: Output, state: Path | None, start: int, *, follow: bool) -> int:
    settings = load(AuditorOptions)
    ledger, codec = ledger_there(settings), EventCodec(load(RegistrySettings), source=auditor.SOURCE)
    await ledger.start()
    await codec.start()
    try:
        known = {stream.origin(settings.origin): start for stream in await ledger.streams()} if start else {}
        stream = SiemStream(ledger, codec, settings.origin, asked)
        at, count = await _once(stream, {**known, **positions(state)}, output, state)
        while follow:
            await asyncio.sleep(_LOOK_S)
            at, more = await _once(stream, at, output, state)
            count += more
        return count
    finally:
        await codec.stop()
        await ledger.stop()


async def _once(stream: SiemStream, at: Positions, output: Output, state: Path | None) -> tuple[Positions, int]:
    count = 0
    async for page in stream.pages(at):
        output.write(page.lines)
        save(state, page.after)
        at, count = page.after, count + len(page.lines)
    return at, count
