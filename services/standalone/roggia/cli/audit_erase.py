"""`roggia audit erase`: the end of a subject's prompts and answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from roggia_auditor import parts as auditor
from roggia_auditor.errors import HeldError
from roggia_auditor.payloads.erasing import Eraser, Erasure
from roggia_auditor.settings import AuditorOptions
from roggia_runtime.settings import load
from roggia_schemas.names import check_slug

from roggia.cli import options
from roggia.cli.asking import somebody
from roggia.cli.audit_common import Confirm, Reason, needed, opened, shown, typed
from roggia.cli.output import counted, emit, out
from roggia.errors import UsageError


def erase(
    tenant: Annotated[str, typer.Option("--tenant", help="Whose subject.")],
    subject: Annotated[str, typer.Option("--subject", help="The subject, by its pseudonym.")],
    reason: Reason = "",
    confirm: Confirm = "",
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Destroy the key of a subject's prompts and answers, and what it encrypts. There is no way back.

    An act in the log says that it was done, when, by whom and why; it names the key, not the subject. Records stay,
    with the pseudonym that they have, until their segment is dropped.
    """
    check_slug("--tenant", tenant)
    settings = load(AuditorOptions)
    plan = asyncio.run(_plan(settings, tenant, subject))
    said = _said(plan)
    if json and dry_run:
        emit(said)
    elif not json:
        _show(plan)
    if dry_run:
        return
    if plan.waits:
        raise HeldError(f"the subject's payloads must stay: {plan.waits}")
    why = needed(reason)
    typed("the subject", confirm, subject)
    index = asyncio.run(_erase(settings, plan, why))
    if json:
        emit({**said, "act": index})
    else:
        out.print(f"Erased; act {index} of the log says so.", markup=False)


async def _plan(settings: AuditorOptions, tenant: str, subject: str) -> Erasure:
    async with _eraser(settings) as eraser:
        return await eraser.plan(tenant, subject)


async def _erase(settings: AuditorOptions, plan: Erasure, reason: str) -> int:
    async with _eraser(settings) as eraser:
        return await eraser.erase(plan, reason)


@asynccontextmanager
async def _eraser(settings: AuditorOptions) -> AsyncIterator[Eraser]:
    vault = auditor.payloads_of(settings)
    if vault is None:
        raise UsageError(
            "ROGGIA_AUDITOR_PAYLOADS, ROGGIA_AUDITOR_PAYLOAD_KEYS, ROGGIA_AUDITOR_PAYLOAD_MASTER_KEY: set all three; "
            "without them no payload is kept"
        )
    async with opened(settings) as ledger:
        await vault.start()
        try:
            yield Eraser(ledger, vault, somebody())
        finally:
            await vault.stop()


def _said(plan: Erasure) -> dict[str, object]:
    extent = plan.extent
    times = {"oldest": shown(extent.oldest), "newest": shown(extent.newest)} if extent.payloads else {}
    goes = {"payloads": extent.payloads, **times, "key_id": plan.key_id}
    return {"tenant": plan.tenant, "subject": plan.subject, **goes, "held": plan.waits or None}


def _show(plan: Erasure) -> None:
    extent = plan.extent
    between = f", {shown(extent.oldest)} to {shown(extent.newest)}" if extent.payloads else ""
    out.print(f"Erasing {plan.subject} of {plan.tenant}: what goes", markup=False)
    out.print(f"  {counted(extent.payloads, 'payload')}{between}, and key {plan.key_id}", markup=False)
    out.print("What stays: the records, with the subject's pseudonym, and every proof", markup=False)
    if plan.waits:
        out.print(f"In the way: {plan.waits}", markup=False)
