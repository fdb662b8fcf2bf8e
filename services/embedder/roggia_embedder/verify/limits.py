"""How fast and how patiently a run works, and the throttle that holds it back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

SLICE_POINTS = 20_000
FEWEST_SLICES, MOST_SLICES = 16, 512


@dataclass(frozen=True, slots=True)
class Pace:
    """`points_per_s` bounds what is read, points and chunks alike (0: no bound). Suspects are looked at again every
    `pause_s` seconds, for `patience_s` at most while their newest version is still on its way."""

    points_per_s: float = 0.0
    pause_s: float = 1.0
    patience_s: float = 30.0


class Throttle:
    """Keeps an average rate: whoever is early waits."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._began = time.monotonic()
        self._spent = 0

    async def spend(self, count: int) -> None:
        """Count work; wait as long as it came too early."""
        self._spent += count
        early = self._spent / self._per_s - (time.monotonic() - self._began) if self._per_s else 0.0
        if early > 0:
            await asyncio.sleep(early)


def slices_for(points: int) -> int:
    """Slices so that one holds about 20,000 points: what is in memory at a time."""
    return max(FEWEST_SLICES, min(MOST_SLICES, points // SLICE_POINTS))
