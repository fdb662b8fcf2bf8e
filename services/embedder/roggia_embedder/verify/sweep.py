"""A verification of the whole index now and then, as a worker of the upsert role: its findings are metrics and logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog
from roggia_runtime.findings import Failure, VerifyRequest

from roggia_embedder.verify.errors import BadRequestError, BusyError
from roggia_embedder.verify.http import Verifies
from roggia_embedder.verify.verifier import finished

log = structlog.get_logger()
_LOGGED = 20


class Sweep:
    """Every `interval_s` seconds, the first time after one of them. 0: never. `generations` are those to be
    verified, one after the other; 0 is the verifier's own."""

    def __init__(
        self, verifier: Verifies, interval_s: float, generations: Callable[[], Iterable[int]] = lambda: (0,)
    ) -> None:
        self._verifier = verifier
        self._generations = generations
        self._interval_s = interval_s
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`. What fails is logged, counted, and tried again after the interval."""
        while not await self._stopped():
            task = asyncio.create_task(self.once())
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for one in (task, stopping):
                one.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)
            if not task.cancelled():
                task.result()

    def stop(self) -> None:
        """End `run` soon; a run that goes on is ended early."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Nothing waits for this."""
        return []

    async def once(self) -> None:
        """One run over everything of each generation, unless another goes on."""
        for number in list(self._generations()):
            await self._one(number)

    async def _one(self, number: int) -> None:
        try:
            end = await finished(self._verifier.begin(VerifyRequest(generation=number)), _LOGGED)
        except (BusyError, BadRequestError) as error:  # the latter: retired since the list was made
            log.info("not_verified", generation=number, why=str(error))
            return
        if end is not None and not isinstance(end, Failure):
            log.info(
                "verified",
                generation=end.generation,
                documents=end.documents,
                findings=end.findings,
                pending=end.pending,
                seconds=end.seconds,
            )

    async def _stopped(self) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), self._interval_s or None)
        except TimeoutError:
            return False
        return True
