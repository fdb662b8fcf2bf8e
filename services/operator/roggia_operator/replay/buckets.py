"""Token buckets: how long to wait before something may be spent. Pure: the caller brings the time."""

from __future__ import annotations

BURST_S = 0.25
"""What a bucket may save up, in seconds of its rate."""


class Bucket:
    """Admits `rate` units per second. A spend may go into debt, so that one that is larger than the burst can pass."""

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._level, self._at = rate * BURST_S, now

    def set(self, rate: float, now: float) -> None:
        """Change the rate from now on. A debt is at most what one second of the new rate pays."""
        self._refill(now)
        self.rate = rate
        self._level = max(-rate, min(self._level, rate * BURST_S))

    def wait(self, now: float) -> float:
        """Seconds until something may be spent; 0 when now."""
        self._refill(now)
        return 0.0 if self._level > 0 else max(1e-3, -self._level / self.rate)

    def spend(self, amount: float, now: float) -> None:
        """Take out what was spent."""
        self._refill(now)
        self._level -= amount

    def _refill(self, now: float) -> None:
        self._level = min(self.rate * BURST_S, self._level + (now - self._at) * self.rate)
        self._at = now
