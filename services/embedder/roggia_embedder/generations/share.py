"""How the lane of a head start shares one encoder with the log pass of the same generation."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from roggia_runtime.consumer.waiting import either

from roggia_embedder.embedding.through import Through
from roggia_embedder.ports import EmbeddingModel, Matrix, TextKind

_LOOK_S = 0.05
_REMEMBERED = 20_000
"""Texts after which what was encoded before counts half: a long quiet time must not be made up for."""


class EncoderShare:
    """Counts texts on both sides. The lane may begin a batch while at most `share` of the texts were its own, and when
    the log pass has rested for `idle_s` seconds: it encodes nothing, waits for no turn, and is not held back.

    The log pass never asks: it waits for one lane batch at most, the one that the encoder has in hand. No work is done
    twice: what the lane encodes, the log pass finds in the cache.
    """

    def __init__(self, share: float = 0.5, idle_s: float = 2.0, now: Callable[[], float] = time.monotonic) -> None:
        if not 0 < share < 1:
            raise ValueError(f"share: {share} is not between 0 and 1")
        self._share, self._idle_s, self._now = share, idle_s, now
        self._log, self._lane = 0.0, 0.0
        self._lock = threading.Lock()
        self._log_at = now()
        self._working = 0

    def log(self, texts: int) -> None:
        """The log pass has encoded so many."""
        if texts:
            self._log_at = self._now()
        self._count(texts, 0)

    def lane(self, texts: int) -> None:
        """The lane has."""
        self._count(0, texts)

    def waits(self) -> None:
        """The log pass has work and is held back: what is free is not the lane's alone."""
        self._log_at = self._now()

    @contextmanager
    def working(self) -> Iterator[None]:
        """The log pass has texts for the encoder, and may have to wait for it."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            self.waits()

    def may(self) -> bool:
        """Whether the lane may begin a batch."""
        idle = not self._working and self._now() - self._log_at >= self._idle_s
        return idle or self._lane <= self._share * (self._lane + self._log)

    async def admitted(self, stopping: asyncio.Event) -> bool:
        """Wait until it may; False when asked to stop."""
        while not self.may():
            if await either(stopping, timeout_s=_LOOK_S):
                return False
        return not stopping.is_set()

    def _count(self, log: int, lane: int) -> None:
        """Called in the threads that encode."""
        with self._lock:
            halving = 2 if self._log + self._lane > _REMEMBERED else 1
            self._log, self._lane = self._log / halving + log, self._lane / halving + lane


class CountedModel(Through):
    """A model that tells how many passages it encoded: one for the log pass, one for the lane, over the same model."""

    def __init__(self, model: EmbeddingModel, encoded: Callable[[int], None]) -> None:
        super().__init__(model)
        self._encoded = encoded

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """See `EmbeddingModel`."""
        rows = super().encode(texts, kind)
        self._encoded(len(texts))
        return rows
