"""Sums over the last 1, 5 and 60 minutes. Pure: times come in, nothing looks at a clock.

Time is cut into slots, by the time of the log. A window at a moment is its newest slots, the one that holds the moment
included: it spans its whole length but for the part of a slot that is still to come. So what a window shows depends on
what was counted and on the moment, not on when or in which order it was counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from roggia_auditor.live.sketch import Sketch

_MINUTE_MS = 60_000


class Window(NamedTuple):
    """A length, and the slots that it is cut into."""

    minutes: int
    slot_ms: int

    def slots(self, at: int) -> range:
        """Numbers of the slots that the window holds at a moment (milliseconds since 1970)."""
        newest = at // self.slot_ms
        return range(newest - self.minutes * _MINUTE_MS // self.slot_ms + 1, newest + 1)


WINDOWS = (Window(1, 5_000), Window(5, 15_000), Window(60, 60_000))
"""12, 20 and 60 slots: what a view may lag behind, against the memory that it takes."""


class Key(NamedTuple):
    """What views are kept by. Texts are empty where an inference has none."""

    tenant: str
    provider: str
    model: str
    prompt: str
    prompt_version: str
    variant: str


class Hit(NamedTuple):
    """What one inference adds to one key. `latency_ms` is None where only tokens are added."""

    key: Key
    at: int
    requests: int
    errors: int
    tokens: int
    latency_ms: float | None


@dataclass(slots=True)
class Cell:
    """Sums of one slot, or of several."""

    requests: int = 0
    errors: int = 0
    tokens: int = 0
    latency: Sketch = field(default_factory=Sketch)

    def add(self, hit: Hit) -> None:
        """Add one inference's part."""
        self.requests += hit.requests
        self.errors += hit.errors
        self.tokens += hit.tokens
        if hit.latency_ms is not None:
            self.latency.add(hit.latency_ms)

    def merge(self, other: Cell) -> None:
        """Add another cell."""
        self.requests += other.requests
        self.errors += other.errors
        self.tokens += other.tokens
        self.latency.merge(other.latency)


Cells = tuple[Cell, ...]
"""One cell for each of `WINDOWS`."""


class Series:
    """The slots of one key, for every window."""

    def __init__(self) -> None:
        self._rings: tuple[dict[int, Cell], ...] = tuple({} for _ in WINDOWS)

    def add(self, hit: Hit) -> None:
        """Count."""
        for window, ring in zip(WINDOWS, self._rings, strict=True):
            ring.setdefault(hit.at // window.slot_ms, Cell()).add(hit)

    def prune(self, at: int) -> bool:
        """Forget slots that no window at this moment, or a later one, holds; whether anything is left."""
        for window, ring in zip(WINDOWS, self._rings, strict=True):
            oldest = window.slots(at).start
            for number in [number for number in ring if number < oldest]:
                del ring[number]
        return any(self._rings)

    def read(self, at: int) -> Cells:
        """What every window holds at a moment."""
        return tuple(_sum(ring, window.slots(at)) for window, ring in zip(WINDOWS, self._rings, strict=True))


def merged(some: Iterable[Cells]) -> Cells:
    """Windows of several series together."""
    found = tuple(Cell() for _ in WINDOWS)
    for cells in some:
        for into, cell in zip(found, cells, strict=True):
            into.merge(cell)
    return found


def _sum(ring: dict[int, Cell], slots: range) -> Cell:
    found = Cell()
    for number, cell in ring.items():
        if number in slots:
            found.merge(cell)
    return found
