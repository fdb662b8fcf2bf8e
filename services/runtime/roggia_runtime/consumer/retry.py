"""Waiting between tries: exponential, capped, with jitter. Pure."""

from __future__ import annotations

import random

_GROWTH = 2.0
_random = random.SystemRandom()


class Backoff:
    """Waits of one sequence of tries. Each lies between half and all of first × 2^n, at most `most_s` (seconds)."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._next = first_s
        self._most = most_s
        self.tries = 0

    def wait_s(self) -> float:
        """Seconds to wait before the next try."""
        self.tries += 1
        full, self._next = self._next, min(self._next * _GROWTH, self._most)
        return full * _random.uniform(0.5, 1.0)
