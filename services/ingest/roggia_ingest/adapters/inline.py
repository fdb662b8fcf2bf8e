"""Prepares content in this process."""

from __future__ import annotations

import asyncio

from roggia_ingest.prepare import Job, Preparation, Prepared


class InlinePreparer:
    """Runs small documents at once and larger ones in a thread: no time limit, for tests and small content."""

    def __init__(self, preparation: Preparation, thread_above_bytes: int = 16_384) -> None:
        self._preparation = preparation
        self._thread_above = thread_above_bytes

    async def prepare(self, job: Job) -> Prepared:
        """See `roggia_ingest.ports.Preparer`."""
        if len(job.content) <= self._thread_above:
            return self._preparation.prepare(job)
        return await asyncio.to_thread(self._preparation.prepare, job)
