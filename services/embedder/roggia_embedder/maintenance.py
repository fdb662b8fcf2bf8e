"""What the index needs by time instead of by record: housekeeping of the store, and forgetting of old deletions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from roggia_embedder import metrics
from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.ports import VectorStore

log = structlog.get_logger()
_MS = 1_000


class Maintenance:
    """A worker of the upsert role. Deletions are swept later than `retention_s` after they were written: keep that
    longer than any replay reaches back, or a replayed older event brings its document back."""

    def __init__(
        self,
        store: VectorStore,
        *,
        clock: Callable[[], int],
        retention_s: float,
        maintain_interval_s: float,
        sweep_interval_s: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._retention_s = retention_s
        self._maintain_interval_s = maintain_interval_s
        self._sweep_interval_s = sweep_interval_s
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`. A store that is down is asked again at the next interval."""
        jobs = [
            self._repeat(self._sweep_interval_s, self.sweep),
            self._repeat(self._maintain_interval_s, self._store.maintain),
        ]
        await asyncio.gather(*jobs)

    def stop(self) -> None:
        """End `run` after the job in hand."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Nothing waits for this."""
        return []

    async def sweep(self) -> int:
        """Forget deletions that are old enough, in every collection. Returns how many."""
        before, swept = self._clock() - int(self._retention_s * _MS), 0
        for spec in await self._store.collections():
            swept += await self._store.sweep_heads(spec.name, before)
        metrics.SWEPT.inc(swept)
        if swept:
            log.info("swept", deletions=swept)
        return swept

    async def _repeat(self, interval_s: float, job: Callable[[], Awaitable[object]]) -> None:
        while not await self._stopped(interval_s):
            try:
                await job()
            except StoreUnavailableError as error:
                log.warning("maintenance waits", error=str(error))

    async def _stopped(self, interval_s: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), interval_s)
        except TimeoutError:
            return False
        return True
