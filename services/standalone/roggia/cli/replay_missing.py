"""`--missing`: the selection is what the index lacks or has wrong, as the index itself finds it."""

from __future__ import annotations

import typer
from roggia_operator.repair.plan import planned
from roggia_operator.replay.selection import Selection
from roggia_operator.verify_client import findings
from roggia_runtime.findings import VerifyRequest
from roggia_schemas import topics

from roggia.cli.output import counted, say


async def missing(query_url: str, tenant: str, domain: str) -> Selection:
    """Every document that a renewal mends, whole: `domain` says where to look, not which records are sent, since a
    passage may be wrong where its document no longer is.

    Says what a replay does not mend. Ends the command, successfully, when there is nothing to replay. Raises
    `UnavailableError` when no query service answers, `VerifyError` when the verification does not come to its end.
    """
    request = VerifyRequest(tenant=tenant, domain=domain)
    plan = planned([one async for one in findings(query_url, request)])
    others = len(plan.deletions) + len(plan.beyond)
    if others:
        say(f"{counted(others, 'finding')} that no replay mends: see roggia verify")
    if not plan.renewals:
        say("The index misses nothing that a replay would bring back.")
        raise typer.Exit
    return Selection(
        topic=topics.DOC_CHANGED, tenant=tenant, documents=tuple(sorted(plan.renewals)), missing=True, mode="renew"
    )
