"""A gate that keeps what it let through and what was refused, by the clock that it judged by."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from roggia_embedder.embedding.cooldown import Gate, Pass


@dataclass
class Noted:
    """What a `WatchedGate` saw, in order: times of admissions, and "not before" times that they had to keep to."""

    admitted: list[float] = field(default_factory=list)
    early: list[tuple[float, float]] = field(default_factory=list)
    refusals: int = 0
    refused: threading.Event = field(default_factory=threading.Event)


class WatchedGate(Gate):
    """Calls come under the lock of its `Cooldown`: their order here is that of the decisions, however threads run."""

    def __init__(self) -> None:
        super().__init__()
        self.noted = Noted()
        self._now = 0.0
        self._not_before = 0.0

    def wait(self, now: float) -> float:
        """Note the time that an admission would have."""
        self._now = now
        return super().wait(now)

    def admit(self) -> Pass:
        """Note an admission, and one that comes too early."""
        self.noted.admitted.append(self._now)
        if self._now < self._not_before:
            self.noted.early.append((self._now, self._not_before))
        return super().admit()

    def refused(self, passed: Pass, now: float, told: float | None) -> None:
        """Note until when nothing may go."""
        super().refused(passed, now, told)
        self._not_before = max(self._not_before, now + (told or 0.0))
        self.noted.refusals += 1
        self.noted.refused.set()
