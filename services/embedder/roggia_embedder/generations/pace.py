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
    """A handler that is asked only when its generation may work; one that serves has the encoder first. `waits` is told
    of every time that it may not."""

    def __init__(
        self,
        handler: Handler,
        hosted: Callable[[], Hosted],
        pace: Pace,
        turns: Turns,
        waits: Callable[[], None] = lambda: None,
    ) -> None:
        self._handler, self._hosted, self._pace, self._turns, self._waits = handler, hosted, pace, turns, waits

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """See `Handler`. Raises `LaterError` while the generation waits."""
        hosted = self._hosted()
        try:
            self._pace.check(hosted)
        except LaterError:
            self._waits()
            raise
        if hosted.filling:
            return await self._handler.handle(batch)
        with self._turns.working():
            return await self._handler.handle(batch)


class HeldLane:
    """The same for a head start, which works while its generation fills and at no other time, and never goes first.
    `pace` is the log pass's: both together keep the rate."""

    def __init__(self, handler: Handler, hosted: Callable[[], Hosted], pace: Pace) -> None:
        self._handler, self._hosted, self._pace = handler, hosted, pace

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """See `Handler`. Raises `LaterError` while the generation waits, and when it does not fill any more."""
        hosted = self._hosted()
        if not hosted.filling:
            raise LaterError(f"{hosted.label} does not fill", LOOK_S)
        self._pace.check(hosted)
        return await self._handler.handle(batch)
