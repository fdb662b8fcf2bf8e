"""Prepares small text in this process, and hands everything else to another preparer."""

from __future__ import annotations

import asyncio
import time

from roggia_ingest import metrics
from roggia_ingest.ports import Preparer
from roggia_ingest.prepare import Job, Preparation, Prepared

_HARMLESS = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
"""Formats whose time and memory are linear in their size."""


class InlinePreparer:
    """Text and Markdown up to a size take a few milliseconds: sending them to a process would cost as much.

    One at a time, with the event loop running in between, so that heartbeats and health checks go on.
    """

    def __init__(self, preparation: Preparation, others: Preparer, max_bytes: int) -> None:
        self._preparation = preparation
        self._others = others
        self._max_bytes = max_bytes
        self._turn = asyncio.Lock()

    async def prepare(self, job: Job) -> Prepared:
        """See `roggia_ingest.ports.Preparer`."""
        if job.media_type not in _HARMLESS or len(job.content) > self._max_bytes:
            return await self._others.prepare(job)
        async with self._turn:
            await asyncio.sleep(0)
            started = time.thread_time()
            try:
                return self._preparation.prepare(job)
            finally:
                metrics.PREPARE_CPU.inc(time.thread_time() - started)
