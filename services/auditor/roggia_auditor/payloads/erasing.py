"""Erasing a subject: a plan, an act in the tree, then the end of its key. A crash in between is gone on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from roggia_runtime.clock import now_ms

from roggia_auditor import metrics
from roggia_auditor.errors import HeldError, LedgerConflictError, PayloadError
from roggia_auditor.payloads.ports import Extent
from roggia_auditor.payloads.vault import Vault
from roggia_auditor.ports import Ledger
from roggia_auditor.retention.acts import Act, Kind
from roggia_auditor.retention.history import History, history, record


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure would do. `waits` says which hold is in the way; empty: none."""

    tenant: str
    subject: str
    key_id: str
    extent: Extent
    judged: History
    waits: str


class Eraser:
    """Erases subjects. The act names the tenant and the key's random id: after it nobody can tell the subject."""

    def __init__(self, ledger: Ledger, vault: Vault, by: str, now: Callable[[], int] = now_ms) -> None:
        self._ledger, self._vault, self._by, self._now = ledger, vault, by, now

    async def plan(self, tenant: str, subject: str) -> Erasure:
        """What is kept of a subject. Raises `PayloadError` where nothing is, as for a name that was mistyped."""
        judged, found = await history(self._ledger), await self._vault.held(tenant, subject)
        if found is None:
            raise PayloadError(f"no payload of subject {subject!r} of tenant {tenant!r} is kept; nothing was done")
        key, extent = found
        waits = (
            f"{hold.name} holds {f'tenant {hold.tenant}' if hold.tenant else 'every tenant'}: {hold.reason}"
            for hold in judged.active
            if hold.touches(tenant, extent.oldest, extent.newest)
        )
        return Erasure(tenant, subject, key.key_id, extent, judged, next(waits, ""))

    async def erase(self, plan: Erasure, reason: str) -> int:
        """Carry a plan out; the index of its act. One that was begun and broke off is finished under its first act.

        Raises `HeldError` for a subject that is held, `LedgerConflictError` where something was decided since the plan:
        then nothing was done.
        """
        if (begun := _acts(plan.judged).get(plan.key_id)) is not None:
            await self._forget(plan.key_id)
            return begun
        found = await self._vault.held(plan.tenant, plan.subject)
        if found is None or (found[0].key_id, found[1]) != (plan.key_id, plan.extent):
            raise LedgerConflictError("payloads of the subject came or went since the plan; look at it again")
        if plan.waits:
            raise HeldError(f"the subject's payloads must stay: {plan.waits}")
        about = {"key_id": plan.key_id, "payloads": str(plan.extent.payloads)}
        act = Act(Kind.SUBJECT_ERASED, self._now(), self._by, reason, plan.tenant, about)
        index = await record(self._ledger, plan.judged, act)
        await self._forget(plan.key_id)
        return index

    async def finish(self) -> int:
        """Destroy what an act says is destroyed, and a crash left there; how many keys that were."""
        return sum([await self._forget(key_id) for key_id in _acts(await history(self._ledger))])

    async def _forget(self, key_id: str) -> bool:
        there = await self._vault.forget(key_id)
        metrics.ERASED.inc(int(there))
        return there


def _acts(judged: History) -> Mapping[str, int]:
    """Indices of acts of erasing, by key."""
    erased = ((index, act) for index, act in enumerate(judged.acts) if act.kind is Kind.SUBJECT_ERASED)
    return {act.about["key_id"]: index for index, act in erased}
