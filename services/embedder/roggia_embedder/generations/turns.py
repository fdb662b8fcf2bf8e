"""One encoder at a time, those that serve first: what fills takes a turn of one batch while they rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import numpy as np

from roggia_embedder.embedding.batching import plan
from roggia_embedder.ports import EmbeddingModel, Matrix

T = TypeVar("T")


class Turns:
    """The encoders of one process. From one event loop.

    A serving generation waits for one batch of a filling one at most. While serving ones have work (`working`), a
    filling one waits; `min_share` is the least share of time that it gets all the same: after a batch of t seconds it
    waits t x (1 / min_share - 1) at most. 0: as long as it takes.
    """

    def __init__(self, min_share: float = 0.0) -> None:
        self._patience = 1 / min_share - 1 if min_share else None
        self._encoding = asyncio.Lock()
        self._filling = asyncio.Lock()
        self._busy = 0
        self._rest = asyncio.Event()
        self._rest.set()
        self._last_s = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """A serving generation has work."""
        self._busy += 1
        self._rest.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._rest.set()

    async def serve(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread, as soon as the batch in hand is done."""
        await self._encoding.acquire()
        return await self._run(work)

    async def fill(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread while nobody serves. Only one filling generation waits for the encoder: else a
        serving one would have to wait for several."""
        async with self._filling:
            await self._wait()
            await self._encoding.acquire()
            began = time.monotonic()
            try:
                return await self._run(work)
            finally:
                self._last_s = time.monotonic() - began

    async def _wait(self) -> None:
        limit = None if self._patience is None else self._last_s * self._patience
        try:
            await asyncio.wait_for(self._rest.wait(), limit)
        except TimeoutError:
            return

    async def _run(self, work: Callable[[], T]) -> T:
        """The encoder is free once the thread has ended, also when nobody waits for it any more."""
        future = asyncio.get_running_loop().run_in_executor(None, work)
        future.add_done_callback(self._ended)
        return await asyncio.shield(future)

    def _ended(self, future: asyncio.Future[T]) -> None:
        self._encoding.release()
        if not future.cancelled():
            future.exception()


class TurnEncoder:
    """Encodes for one generation: whole batches while it serves, one turn per `budget` tokens while it fills.

    `spent` is told how many texts were encoded.
    """

    def __init__(
        self,
        turns: Turns,
        model: EmbeddingModel,
        budget: int,
        filling: Callable[[], bool],
        spent: Callable[[int], None],
    ) -> None:
        self._turns, self._model, self._budget = turns, model, budget
        self._filling, self._spent = filling, spent

    async def __call__(self, texts: Sequence[str]) -> Matrix:
        """See `Encode`."""
        if not self._filling():
            rows = await self._turns.serve(partial(self._model.encode, texts))
        else:
            rows = await self._in_turns(texts)
        self._spent(len(texts))
        return rows

    async def _in_turns(self, texts: Sequence[str]) -> Matrix:
        rows: Matrix = np.empty((len(texts), self._model.dimension), np.float32)
        for batch in await asyncio.to_thread(self._batches, texts):
            rows[batch] = await self._turns.fill(partial(self._model.encode, [texts[i] for i in batch]))
        return rows

    def _batches(self, texts: Sequence[str]) -> list[list[int]]:
        return plan(self._model.count_tokens(texts), self._budget)
