"""Which model the baseline's vectors are of: the embedder's settings name it, and the index says what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import UnavailableError

from roggia_operator.console.views import CollectionRow

Collections = Callable[[], Awaitable[Sequence[CollectionRow]]]
"""Every collection of the index. Raises `UnavailableError`."""
SOON_S, AGAIN_S = 2.0, 60.0
"""Seconds between two questions, until it is known and afterwards."""
log = structlog.get_logger()


class BaselineModel:
    """A worker: asks until it knows, and now and then afterwards.

    An index that does not answer takes nothing back; one whose baseline holds vectors of two models has no model.
    """

    def __init__(self, collections: Collections, baseline: int) -> None:
        self._collections, self._baseline = collections, baseline
        self._stopping = asyncio.Event()
        self.fingerprint = ""
        """Empty while it is not known."""

    async def run(self) -> None:
        """Ask until stopped."""
        while not self._stopping.is_set():
            await self.look()
            await either(self._stopping, timeout_s=AGAIN_S if self.fingerprint else SOON_S)

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Nothing waits for this: without it a version that equals the baseline is filled once more."""
        return []

    async def look(self) -> None:
        """Ask once. Called by `run`, and by tests."""
        try:
            rows = await self._collections()
        except UnavailableError as error:
            log.debug("baseline_not_known", error=str(error))
            return
        held = {row.model for row in rows if row.generation == self._baseline}
        found = held.pop() if len(held) == 1 else ""
        if found != self.fingerprint:
            self.fingerprint = found
            log.info("baseline_known", generation=self._baseline, model=found)
