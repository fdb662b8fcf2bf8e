"""How quickly a filling goes, over its last observations."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from roggia_operator.generations.values import Progress

WINDOW_MS = 30_000


class Pace:
    """Of one generation. Call it with each observation."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()

    def __call__(self, progress: Progress) -> Progress:
        """The observation with rate and time left."""
        self._seen.append((progress.at_ms, progress.left))
        while len(self._seen) > 2 and progress.at_ms - self._seen[1][0] >= WINDOW_MS:
            self._seen.popleft()
        (since_ms, left), gone_ms = self._seen[0], progress.at_ms - self._seen[0][0]
        rate = max(0, left - progress.left) * 1000 / gone_ms if gone_ms > 0 and since_ms else 0.0
        return replace(
            progress, rate=rate, left_s=progress.left / rate if rate else (0.0 if not progress.left else None)
        )
