"""The repair of `roggia verify --repair`: plan, confirmation, jobs and deletions, waiting, and another look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roggia_operator.jobs.table import Job
from roggia_operator.repair.plan import RepairPlan, planned
from roggia_operator.repair.running import Repairer, Route
from roggia_operator.verify_client import findings as told
from roggia_runtime.findings import Finding, Summary, VerifyRequest

from roggia.cli.asking import agreed, somebody
from roggia.cli.connected import codec_of
from roggia.cli.jobs import Patience
from roggia.cli.output import say
from roggia.cli.verify_views import show_plan
from roggia.connection import Connection
from roggia.errors import StandaloneError, UsageError
from roggia.publishing.publisher import kafka_settings

REASON = "roggia verify --repair"
UNASKED = "--yes: nobody is there to confirm the repair; give --yes to accept it"
_AT_ONCE = 2_000
"""Documents of one verification afterwards."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What was agreed to beforehand. `delete`: documents that may be deleted in a repair that deletes very many.
    `dry_run`: the plan is all that is wanted.
    """

    yes: bool = False
    delete: int = 0
    dry_run: bool = False


async def mend(
    where: Connection, found: Sequence[Finding], summary: Summary, *, consent: Consent, json: bool, timeout_s: float
) -> list[Finding]:
    """Repair what can be; what is wrong afterwards. Raises `StandaloneError` when it is not wanted or not done."""
    async with codec_of(where, "verify") as codec:
        repairer = Repairer(kafka_settings(where), codec, Route(summary.chunked, summary.generation))
        await codec.start()
        plan = await repairer.possible(planned(found, summary.unreadable))
        if not json:
            show_plan(plan)
        if consent.dry_run:
            return list(found)
        if not plan.empty:
            confirm_deletions(plan, summary, consent)
            if not consent.yes:
                agreed("Repair?", otherwise=UNASKED, refused="not repaired")
            await _carry_out(repairer, plan, timeout_s)
        return [*plan.beyond, *(await _left(where, plan))]


async def _carry_out(repairer: Repairer, plan: RepairPlan, timeout_s: float) -> None:
    jobs = await repairer.submit(plan, somebody(), REASON)
    if plan.deletions:
        say(f"deletions sent: {await repairer.delete(plan):,}")
    for job in jobs:
        say(f"replay job {job}; follow it with `roggia replay status {job} --watch`")
    await repairer.ended(jobs, _Teller())
    if not await repairer.passed(timeout_s):
        raise StandaloneError(
            f"repair: not everything has reached the index within {timeout_s:g} s; verify again later"
        )


class _Teller:
    """Says how a job stands whenever that changes. Raises `NotRunningError` when nobody takes it."""

    def __init__(self) -> None:
        self._last, self._patience = "", Patience()

    def __call__(self, job: Job) -> None:
        self._patience(job)
        message = job.state.message if job.state else "no operator service has taken it yet"
        line = f"{job.job_id}: {job.status.value.lower()} {message}".strip()
        if line != self._last:
            say(line)
        self._last = line


async def _left(where: Connection, plan: RepairPlan) -> list[Finding]:
    left: list[Finding] = []
    known = {finding.point_id for finding in plan.beyond}
    for tenant, doc_ids in plan.documents.items():
        for at in range(0, len(doc_ids), _AT_ONCE):
            request = VerifyRequest(tenant=tenant, doc_ids=tuple(doc_ids[at : at + _AT_ONCE]))
            left += [one async for one in told(where.query, request) if one.point_id not in known]
    return left


def confirm_deletions(plan: RepairPlan, summary: Summary, consent: Consent) -> None:
    """A repair that deletes very much needs its number typed: more likely the log is not whole."""
    number = len(plan.deletions)
    if not plan.drastic(summary.documents) or consent.delete == number:
        return
    raise UsageError(
        f"--delete: {number:,} documents would be deleted, and {summary.chunked} knows {summary.documents:,}: is that "
        f"topic whole, and the right one? If so, repeat the command with --delete {number}"
    )
