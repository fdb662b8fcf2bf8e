"""Whether a search in the shadow may start now. Nothing here waits: what may not start is dropped."""

from __future__ import annotations

import time
from collections.abc import Callable

from roggia_embedder.query.shadow.settings import ShadowSettings


class Bucket:
    """A token bucket that refuses instead of waiting: `per_s` on average, at most a second's worth at once."""

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._clock = per_s, clock
        self._most = max(1.0, per_s)
        self._held, self._seen = self._most, clock()

    def take(self) -> bool:
        """Take one token, if there is one."""
        now = self._clock()
        self._held = min(self._most, self._held + (now - self._seen) * self._per_s)
        self._seen = now
        if self._held < 1:
            return False
        self._held -= 1
        return True


class Admission:
    """The bounds of the settings. `in_flight` says how many users' requests are in progress."""

    def __init__(
        self, settings: ShadowSettings, in_flight: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._in_flight = settings, in_flight
        self._bucket = Bucket(settings.per_s, clock)

    def refusal(self, running: int) -> str:
        """Why one more may not start beside `running` others: busy, concurrency or rate; empty when it may, and then
        it counts against the rate."""
        if self._in_flight() > self._settings.in_flight:
            return "busy"
        if running >= self._settings.concurrency:
            return "concurrency"
        return "" if self._bucket.take() else "rate"
