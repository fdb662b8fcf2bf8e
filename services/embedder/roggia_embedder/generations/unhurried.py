"""A worker for whose troubles nothing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import RoggiaError
from roggia_runtime.service import Noting, Worker

AGAIN_S = 3.0


class Unhurried:
    """Runs another worker once `first` has succeeded; what is not ready of both is a note. Search works without Kafka
    and registry: a query role alone goes on with the record that it read last."""

    def __init__(self, first: Callable[[], Awaitable[None]], worker: Worker, again_s: float = AGAIN_S) -> None:
        self._first, self._worker, self._again_s = first, worker, again_s
        self._stopping = asyncio.Event()
        self._trouble = ""

    async def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping.is_set():
            try:
                await self._first()
            except RoggiaError as error:
                self._trouble = str(error)
                await either(self._stopping, timeout_s=self._again_s)
            else:
                self._trouble = ""
                await self._worker.run()
                return

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopping.set()
        self._worker.stop()

    def health(self) -> list[str]:
        """Nothing waits for it."""
        return []

    def notes(self) -> list[str]:
        """What is not ready of it."""
        own = self._worker.notes() if isinstance(self._worker, Noting) else []
        return [self._trouble] if self._trouble else [*self._worker.health(), *own]
