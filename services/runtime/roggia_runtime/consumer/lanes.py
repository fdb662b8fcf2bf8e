"""Whose turn it is: live topics or a replay lane. Pure: knows no Kafka client."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from roggia_runtime.consumer.dead_letters import DlqLimiter
from roggia_runtime.settings import BatchLimits, DlqLimits, LaneSettings


@dataclass(slots=True)
class _Lane:
    limiter: DlqLimiter
    missing: str = ""
    trouble: str = ""
    until: float = 0.0


class Lanes:
    """The lanes of one loop. A lane is *open* while it exists and does not rest after a failure.

    Live work earns a lane its minimum share: `credit` counts seconds, never more than one lane batch has cost. What a
    lane does while the live topics have nothing costs it no more credit than it has.
    """

    def __init__(
        self, names: Sequence[str], settings: LaneSettings, dlq: DlqLimits, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._dlq = dlq
        self._now = now
        self._lanes = {name: _Lane(DlqLimiter(dlq)) for name in names}
        self._credit = 0.0
        self._cost = 0.0
        self._live_at = float("-inf")

    @property
    def names(self) -> tuple[str, ...]:
        """Every lane of the loop."""
        return tuple(self._lanes)

    @property
    def present(self) -> tuple[str, ...]:
        """Lanes whose topics can be read."""
        return tuple(name for name, lane in self._lanes.items() if not lane.missing)

    def missing(self, reasons: Mapping[str, str]) -> None:
        """Which lanes cannot be read, and why."""
        for name, lane in self._lanes.items():
            lane.missing = reasons.get(name, "")

    def open(self) -> list[str]:
        """Lanes that may be polled now, the one longest without work first."""
        return [name for name, lane in self._lanes.items() if not lane.missing and lane.until <= self._now()]

    def rest_s(self) -> float:
        """Seconds that live topics must still be at rest before a lane is looked at; 0: now."""
        return max(0.0, self._live_at + self._settings.idle_ms / 1000 - self._now())

    def due(self) -> bool:
        """Whether a lane has earned a batch although the live topics never rest."""
        return self._settings.min_share > 0 and self._credit > 0 and self._credit >= self._cost

    def worked(self, lane: str, seconds: float) -> None:
        """Count the time that a batch took: of `lane`, or of the live topics where it is empty."""
        if lane:
            self._cost = seconds
            self._credit = max(0.0, self._credit - seconds)
            self._lanes[lane] = self._lanes.pop(lane)
            return
        share = self._settings.min_share
        self._live_at = self._now()
        self._credit = min(self._credit + seconds * share / (1 - share), max(self._cost, seconds))

    def limits(self, live: BatchLimits) -> BatchLimits:
        """Limits of a lane's batches: live traffic waits for the one in hand."""
        share = self._settings.batch_share
        return BatchLimits(
            max_records=max(1, int(live.max_records * share)),
            max_bytes=max(1, int(live.max_bytes * share)),
            max_wait_ms=0,
        )

    def limiter(self, lane: str) -> DlqLimiter:
        """Dead letters of one lane are counted by themselves."""
        return self._lanes[lane].limiter

    def pause(self, lane: str, reason: str, seconds: float | None = None) -> None:
        """Let a lane rest after a failure, `seconds` or as the settings say; then it begins with a new window."""
        held = self._lanes[lane]
        held.trouble = reason
        held.until = self._now() + (self._settings.pause_s if seconds is None else seconds)
        held.limiter = DlqLimiter(self._dlq)

    def succeeded(self, lane: str) -> bool:
        """A batch of the lane is final. Says whether that ends a trouble."""
        held = self._lanes[lane]
        was, held.trouble = held.trouble, ""
        return bool(was)

    def notes(self) -> list[str]:
        """What is wrong with lanes, in words. Live traffic goes on."""
        return [line for name, lane in self._lanes.items() for line in self._note(name, lane)]

    def _note(self, name: str, lane: _Lane) -> list[str]:
        if lane.missing:
            return [f"lane {name} is not read: {lane.missing}"]
        if lane.trouble:
            left = lane.until - self._now()
            when = f"tries again in {left:.0f} s" if left > 0 else "tries again now"
            return [f"lane {name} is paused ({when}): {lane.trouble}"]
        return []
