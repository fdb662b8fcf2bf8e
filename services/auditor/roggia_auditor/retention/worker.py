"""Retention on its own: a leader's work. It seals and drops only what the settings say, and finishes what was begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from roggia_runtime.clock import now_ms
from roggia_runtime.leadership import FencedWriter

from roggia_auditor import metrics, periods
from roggia_auditor.errors import HeldError, LedgerConflictError, ProofError, SegmentError
from roggia_auditor.retention.keeper import Keeper, again
from roggia_auditor.retention.planning import DAY_MS, DropPlan, SealPlan, droppable, sealable
from roggia_auditor.retention.ports import KeptLedger, SegmentFiles

log = structlog.get_logger()
Finish = Callable[[], Awaitable[int]]
"""Finishes erasures whose key should be gone; how many those were."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say. Days; None: never by itself. `origin` is what logs' names begin with."""

    origin: str
    seal_after: int | None
    drop_after: int | None
    interval_s: float = 3600.0
    grace_ms: int = periods.GRACE_MS


class Retention:
    """The work of a `Leader`. What it cannot do is logged and counted, and tried again at the next look."""

    def __init__(
        self,
        ledger: KeptLedger,
        files: SegmentFiles | None,
        policy: Policy,
        finish: Finish | None = None,
        now: Callable[[], int] = now_ms,
    ) -> None:
        self._ledger, self._files, self._policy, self._finish, self._now = ledger, files, policy, finish, now

    async def __call__(self, writer: FencedWriter) -> None:  # noqa: ARG002  # the ledger's own compare and set fences
        """Look again and again until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(self._policy.interval_s)

    async def once(self) -> None:
        """Finish what was begun, then seal and drop what is due. Raises what the ledger raises."""
        if self._finish is not None:
            await self._finish()
        if self._files is None:
            return
        keeper = Keeper(self._ledger, self._files, self._policy.origin, "roggia auditor", self._now)
        await keeper.tidy()
        if self._policy.seal_after is not None:
            before = self._now() - self._policy.seal_after * DAY_MS
            await self._seal(keeper, await sealable(self._ledger, self._policy.origin, before, self._policy.grace_ms))
        if self._policy.drop_after is not None:
            await self._drop(keeper, await droppable(self._ledger, self._now() - self._policy.drop_after * DAY_MS))

    async def _seal(self, keeper: Keeper, plan: SealPlan) -> None:
        reason = f"ROGGIA_AUDITOR_SEAL_AFTER_DAYS={self._policy.seal_after}"
        for one in plan.spans:
            try:
                await keeper.seal(one, await again(self._ledger, plan.judged), reason)
                metrics.SEGMENTS.labels("sealed").inc()
            except (HeldError, LedgerConflictError) as why:
                log.info("not_sealed", segment=one.span.name, why=str(why))
            except (SegmentError, ProofError) as error:
                metrics.SEGMENTS.labels("failed").inc()
                log.error("not_sealed", segment=one.span.name, error=str(error))  # noqa: TRY400  # the message is whole

    async def _drop(self, keeper: Keeper, plan: DropPlan) -> None:
        reason = f"ROGGIA_AUDITOR_DROP_AFTER_DAYS={self._policy.drop_after}"
        for one in plan.segments:
            try:
                await keeper.drop(one, await again(self._ledger, plan.judged), reason)
                metrics.SEGMENTS.labels("dropped").inc()
            except (HeldError, LedgerConflictError, SegmentError) as why:
                log.info("not_dropped", segment=one.segment.span.name, why=str(why))
