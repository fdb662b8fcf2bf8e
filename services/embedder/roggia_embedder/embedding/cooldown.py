"""The pause after "too many requests": one per server and key, kept by every thread and every model of this process.

A server that limits the rate refuses the account, not the caller. Were each caller to wait for itself, the others would
go on asking and be refused in turn; many servers count that against the account.
"""

from __future__ import annotations

import hashlib
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from roggia_embedder.embedding.retrying import backoff
from roggia_embedder.errors import ModelUnavailableError


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to send one request. `wave` counts refusals before it; `probe`: it goes alone, to try whether one may."""

    wave: int
    probe: bool


class Gate:
    """When a request may go. Time is an argument: no clock, no threads.

    After a refusal nothing goes before the time that the server asked for. Then one request goes alone; when it is
    answered all may go, when it is refused the pause begins anew. Refusals of requests that were under way together
    count once, so that ten of them do not make the pause ten steps longer.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._until = -math.inf
        self._wave = 0
        self._refusals = 0
        self._limited = False
        self._probing = False

    def wait(self, now: float) -> float:
        """Seconds until a request may go; infinite while another one tries."""
        if now < self._until:
            return self._until - now
        return math.inf if self._probing else 0.0

    def admit(self) -> Pass:
        """Let one go. Only after `wait` has said 0."""
        self._probing = self._limited
        return Pass(self._wave, self._limited)

    def refused(self, passed: Pass, now: float, told: float | None) -> None:
        """A request was refused for its rate. `told`: seconds that the server asks for, if it does."""
        if passed.wave == self._wave:
            self._refusals += 1
            self._wave += 1
            self._probing = False
        pause = backoff(self._refusals, self._chance()) if told is None else told
        self._until = max(self._until, now + pause)
        self._limited = True

    def ended(self, passed: Pass, *, answered: bool) -> None:
        """A request ended otherwise. What was sent before the latest refusal says nothing about now."""
        if passed.wave != self._wave:
            return
        self._probing = self._probing and not passed.probe
        if answered:
            self._limited = False
            self._refusals = 0


class Cooldown:
    """A `Gate` for threads."""

    def __init__(self, where: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._clock = clock
        self._gate = Gate()
        self._changed = threading.Condition()

    def enter(self, until: float) -> Pass:
        """Wait for leave to send, no longer than `until`. Raises `ModelUnavailableError`, at once when the wait is
        known to be longer."""
        with self._changed:
            while wait := self._gate.wait(now := self._clock()):
                left = until - now
                if left <= 0 or (math.isfinite(wait) and wait > left):
                    raise ModelUnavailableError(f"{self._where}: too many requests; not asked again {_for(wait)}")
                self._changed.wait(min(wait, left))
            return self._gate.admit()

    def refused(self, passed: Pass, told: float | None) -> None:
        """See `Gate.refused`."""
        with self._changed:
            self._gate.refused(passed, self._clock(), told)
            self._changed.notify_all()

    def ended(self, passed: Pass, *, answered: bool) -> None:
        """See `Gate.ended`."""
        with self._changed:
            self._gate.ended(passed, answered=answered)
            self._changed.notify_all()


def shared(url: str, key: str = "") -> Cooldown:
    """This process's cooldown for a server (scheme, host, port) and an API key. The same one for the same two."""
    parts = urlsplit(url)
    server = f"{parts.scheme}://{parts.netloc}"
    name = (server, hashlib.sha256(key.encode()).hexdigest())
    with _LOCK:
        return _SHARED.setdefault(name, Cooldown(server))


_SHARED: dict[tuple[str, str], Cooldown] = {}
_LOCK = threading.Lock()


def _for(wait: float) -> str:
    return f"for {wait:.1f} s" if math.isfinite(wait) else "until another request has tried"
