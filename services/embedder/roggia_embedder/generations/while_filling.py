"""A worker that runs only while its generation fills, and whose end, of whatever kind, is nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import RoggiaError
from roggia_runtime.service import Noting, Worker

LOOK_S = 1.0
"""Seconds after which it notices that the generation fills, or fills no more."""
FIRST_S, MOST_S = 1.0, 60.0
_END_S = 3.0
log = structlog.get_logger()


class WhileFilling:
    """Makes another worker, and a new one after each failure, later each time. `run` raises nothing: what the worker
    did not do costs time elsewhere.

    After `stop` the worker has `patience_s` seconds for what it holds. When the filling is over it has one: the log
    pass goes first from then on, and may wait for what the worker holds.
    """

    def __init__(
        self,
        filling: Callable[[], bool],
        make: Callable[[], Worker],
        what: str,
        patience_s: float,
        backoff: Callable[[], Backoff] = lambda: Backoff(FIRST_S, MOST_S),
    ) -> None:
        self._filling, self._make, self._what = filling, make, what
        self._patience_s, self._backoff = patience_s, backoff
        self._stopping = asyncio.Event()
        self._worker: Worker | None = None
        self._trouble = ""

    async def run(self) -> None:
        """Work until `stop`."""
        backoff = self._backoff()
        while not self._stopping.is_set():
            if not self._filling():
                self._trouble, backoff = "", self._backoff()
                await either(self._stopping, timeout_s=LOOK_S)
                continue
            began = time.monotonic()
            self._trouble = await self._try()
            if time.monotonic() - began > MOST_S:
                backoff = self._backoff()
            await self._rest(backoff.wait_s() if self._trouble else LOOK_S)

    def stop(self) -> None:
        """Return from `run` once the worker has ended."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.stop()

    def health(self) -> list[str]:
        """Nothing waits for it."""
        return []

    def notes(self) -> list[str]:
        """Why it does not work, and what the worker says."""
        own = [f"{self._what}: {self._trouble}"] if self._trouble else []
        return [*own, *(self._worker.notes() if isinstance(self._worker, Noting) else [])]

    async def _rest(self, seconds: float) -> None:
        """Wait for the next try, unless there is none."""
        until = time.monotonic() + seconds
        while self._filling() and (left := until - time.monotonic()) > 0:
            if await either(self._stopping, timeout_s=min(left, LOOK_S)):
                return

    async def _try(self) -> str:
        """Run one worker to its end; say why it failed."""
        try:
            self._worker = self._make()
            log.info("begun", what=self._what)
            await self._watch(self._worker)
        except Exception as error:  # of whatever kind: it must not reach those who do not need it
            bug = None if isinstance(error, RoggiaError) else error
            log.warning("worker_failed", what=self._what, error=str(error), exc_info=bug)
            return f"stopped: {str(error) or type(error).__name__}"
        finally:
            self._worker = None
        log.info("ended", what=self._what)
        return ""

    async def _watch(self, worker: Worker) -> None:
        work = asyncio.create_task(worker.run())
        try:
            while not work.done() and not self._stopping.is_set() and self._filling():
                await asyncio.wait({work}, timeout=LOOK_S)
        finally:
            worker.stop()
            await asyncio.wait({work}, timeout=self._patience_s if self._stopping.is_set() else LOOK_S)
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=_END_S)
        if work.done() and not work.cancelled():
            work.result()
