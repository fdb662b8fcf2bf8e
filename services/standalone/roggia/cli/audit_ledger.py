"""What commands of `roggia audit` open: the ledger that the settings name, and a seal of its present state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from roggia_auditor import app as auditor
from roggia_auditor.heads.sealing import Sealed, sealed_and_witnessed
from roggia_auditor.ports import Ledger
from roggia_auditor.settings import AuditorOptions

from roggia.cli.output import say
from roggia.errors import UsageError


@asynccontextmanager
async def opened(settings: AuditorOptions) -> AsyncIterator[Ledger]:
    """The ledger, for as long as the block lasts."""
    ledger = auditor.ledger_of(settings)
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.stop()


async def sealed(settings: AuditorOptions, ledger: Ledger, what: str) -> Sealed:
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
