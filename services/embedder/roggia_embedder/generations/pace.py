"""Holds a filling generation back: paused, or faster than its rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from roggia_runtime.errors import LaterError
from roggia_runtime.records import Handler, Record, Verdict

from roggia_embedder.generations.hosted import Hosted
from roggia_embedder.generations.turns import Turns

LOOK_S = 1.0
"""Seconds after which a generation that is held back looks again: how late it notices that it may go on."""


class Pace:
    """Chunks per second, on average: what a batch was too fast by, the next one waits. From one event loop."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._rate = 0.0
        self._free_at = 0.0

    def check(self, hosted: Hosted) -> None:
        """Raise `LaterError` while the generation is to wait."""
        if not hosted.filling:
            self._rate = self._free_at = 0.0
            return
        if hosted.paused:
            raise LaterError(f"{hosted.label} is paused", LOOK_S)
        if hosted.rate != self._rate:
            self._rate, self._free_at = hosted.rate, 0.0
        early = self._free_at - self._now() if self._rate else 0.0
        if early > 0:
            raise LaterError(f"{hosted.label} has its rate of {self._rate:g} chunks per second", min(early, LOOK_S))

    def spent(self, chunks: int) -> None:
        """So many were embedded."""
        if self._rate:
            self._free_at = max(self._free_at, self._now()) + chunks / self._rate


class Held:
    """A handler that is asked only when its generation may work; one that serves has the encoder first."""

    def __init__(self, handler: Handler, hosted: Callable[[], Hosted], pace: Pace, turns: Turns) -> None:
        self._handler, self._hosted, self._pace, self._turns = handler, hosted, pace, turns

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """See `Handler`. Raises `LaterError` while the generation waits."""
        hosted = self._hosted()
        self._pace.check(hosted)
        if hosted.filling:
            return await self._handler.handle(batch)
        with self._turns.working():
            return await self._handler.handle(batch)
