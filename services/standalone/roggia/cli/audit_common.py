"""What the commands of `roggia audit` share: the ledger that the settings name, times, and how they are shown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from roggia_auditor import parts as auditor
from roggia_auditor.adapters.segment_files import FolderSegments
from roggia_auditor.heads.sealing import Sealed, sealed_and_witnessed
from roggia_auditor.retention.ports import KeptLedger
from roggia_auditor.settings import AuditorOptions

from roggia.cli.asking import at_terminal
from roggia.cli.output import say
from roggia.errors import UsageError

_SQLITE = "sqlite:///"
Reason: TypeAlias = Annotated[str, typer.Option("--reason", help="Why; kept for ever.")]
Confirm: TypeAlias = Annotated[
    str, typer.Option("--confirm", help="What the plan asks to be typed; without it you are asked.")
]


def ledger_there(settings: AuditorOptions) -> KeptLedger:
    """The ledger, not yet open. A command makes none: a wrong name would look like an empty log."""
    dsn = settings.ledger.get_secret_value()
    if dsn.startswith(_SQLITE) and not Path(dsn.removeprefix(_SQLITE)).exists():
        raise UsageError(f"ROGGIA_AUDITOR_LEDGER: {dsn.removeprefix(_SQLITE)} is not there; name the auditor's ledger")
    return auditor.ledger_of(settings)


@asynccontextmanager
async def opened(settings: AuditorOptions) -> AsyncIterator[KeptLedger]:
    """The ledger, open for as long as the block lasts. Raises `UsageError` for one that is not there."""
    ledger = ledger_there(settings)
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.stop()


async def sealed(settings: AuditorOptions, ledger: KeptLedger, what: str) -> Sealed:
    """A seal of what the ledger holds now, signed by the witnesses that can be reached; of others it is said.

    Raises `UsageError` without a key: `what` is proven under a signed checkpoint.
    """
    if settings.signing_key is None:
        raise UsageError(f"ROGGIA_AUDITOR_SIGNING_KEY: {what} is proven under a signed checkpoint; name the key's file")
    anchors = auditor.witnessing_of(settings, ledger)
    try:
        found = await sealed_and_witnessed(auditor.sealer_of(settings, ledger), anchors)
        for note in anchors.notes():
            say(f"witness {note}")
        return found
    finally:
        await anchors.close()


def folder_of(settings: AuditorOptions) -> FolderSegments:
    """The folder of segments. Raises `UsageError` where none is set."""
    found = auditor.segments_of(settings)
    if found is None:
        raise UsageError("ROGGIA_AUDITOR_SEGMENTS: name the folder of sealed segments")
    return found


def needed(reason: str) -> str:
    """The reason. Raises `UsageError` for none."""
    if not reason.strip():
        raise UsageError("--reason: say why; it is kept with who and when")
    return reason.strip()


def typed(what: str, confirm: str, wanted: str) -> None:
    """Raises `UsageError` unless what a plan asks for was typed."""
    if not confirm:
        at_terminal(f"--confirm: nobody is there to type it; give --confirm {wanted!r}")
    given = confirm or typer.prompt(f"There is no way back. Type {what}", err=True)
    if given.strip() != wanted:
        raise UsageError(f"--confirm: {given!r} is not {wanted!r}; nothing was done")


def moment(option: str, text: str) -> int | None:
    """Milliseconds since 1970 of a day (its beginning, UTC) or a time; None for none. Raises `UsageError`."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: {text!r} is no date; write 2025-01-31 or 2025-01-31T12:00:00Z") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def shown(at: int | None) -> str:
    """A time, UTC, to the second; empty for none."""
    return "" if at is None else datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def not_shown(part: Mapping[str, Any]) -> str:
    """What a report says of records that were dropped."""
    return (
        f"NOT SHOWN: records {part['first']} to {part['last']} of {part['log']}, dropped {shown(int(part['at']))} by "
        f"{part['by']}: {part['reason']}. Nothing proves what they were."
    )
