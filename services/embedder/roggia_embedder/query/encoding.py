"""Encodes queries for many requests at once: one model, one thread, batches that form while the thread is busy.

A lone request never waits for company. Under load the requests that arrive during one encoding share the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from roggia_embedder.embedding.metering import Owner
from roggia_embedder.query.errors import OverloadedError

Vectors = NDArray[np.float32]


Encode: TypeAlias = Callable[[Sequence[str], Sequence[Owner]], Vectors]
"""Texts, and whose each is, to one row each; blocking. Called from one thread only."""


class ClosedError(RuntimeError):
    """The encoder was closed before the call."""


@dataclass(frozen=True, slots=True)
class _Job:
    texts: tuple[str, ...]
    owner: Owner
    answer: asyncio.Future[Vectors]


class BatchingEncoder:
    """Calls a model's `encode` on behalf of concurrent requests. Bound to the event loop that first uses it.

    `max_texts` bounds one call of the model, `max_waiting` the requests in the queue: beyond it `encode` raises
    `OverloadedError` at once instead of letting every client wait.
    """

    def __init__(self, encode: Encode, *, max_texts: int = 32, max_waiting: int = 256) -> None:
        self._encode = encode
        self._max_texts = max_texts
        self._max_waiting = max_waiting
        self._jobs: deque[_Job] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="roggia-query-encode")

    async def encode(self, texts: Sequence[str], owner: Owner) -> Vectors:
        """One row per text, in order. All texts are `owner`'s. Raises `OverloadedError`, `ClosedError`, or what the
        model raises."""
        if self._closed:
            raise ClosedError("the encoder is closed")
        if len(self._jobs) >= self._max_waiting:
            self._jobs = deque(job for job in self._jobs if not job.answer.done())
        if len(self._jobs) >= self._max_waiting:
            raise OverloadedError(f"{self._max_waiting} queries already wait for the model; try again in a moment")
        job = _Job(tuple(texts), owner, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="roggia-query-encode")
        return await job.answer

    async def close(self) -> None:
        """Finish what is queued and end the thread."""
        self._closed = True
        if self._worker is not None:
            await self._worker
        self._thread.shutdown(wait=True)

    async def _work(self) -> None:
        try:
            while self._jobs:
                if batch := self._next_batch():
                    await self._run(batch)
        finally:
            self._worker = None

    def _next_batch(self) -> list[_Job]:
        """As many as fit. Clients that have left cost nothing."""
        batch: list[_Job] = []
        texts = 0
        while self._jobs and (not batch or texts + len(self._jobs[0].texts) <= self._max_texts):
            job = self._jobs.popleft()
            if not job.answer.done():
                batch.append(job)
                texts += len(job.texts)
        return batch

    async def _run(self, batch: Sequence[_Job]) -> None:
        texts = [text for job in batch for text in job.texts]
        owners = [job.owner for job in batch for _ in job.texts]
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._encode, texts, owners)
        await asyncio.wait([future])
        error = future.exception()
        if error is None:
            _deliver(batch, np.asarray(future.result(), dtype=np.float32))
            return
        for job in batch:
            if not job.answer.done():
                job.answer.set_exception(error)


def _deliver(batch: Sequence[_Job], rows: Vectors) -> None:
    start = 0
    for job in batch:
        end = start + len(job.texts)
        if not job.answer.done():
            job.answer.set_result(rows[start:end])
        start = end
