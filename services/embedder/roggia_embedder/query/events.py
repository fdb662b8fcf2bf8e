"""Tells the log what was served: `retrieval.served`, best effort, never in the way of an answer.

Events wait in a bounded queue and are published by one task, in order. When Kafka is away or slow, what does not fit
is dropped and counted: popularity and shadow evaluation can live with gaps, a client cannot wait for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import TypeAlias

import structlog
from roggia_runtime.errors import RoggiaError
from roggia_runtime.records import Headers
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import RetrievalServed, RetrievedPassage

from roggia_embedder.query import api, metrics
from roggia_embedder.query.search import Found

Publish: TypeAlias = Callable[[RetrievalServed, Headers], Awaitable[object]]
"""Sends one event, in the trace that the headers name, and returns when the brokers have it; raises `RoggiaError` or
`SchemasError`."""

_log = structlog.get_logger()


class ServedEvents:
    """The queue and its task. `most` bounds the events that wait."""

    def __init__(self, publish: Publish, *, most: int = 1_000) -> None:
        self._publish = publish
        self._queue: asyncio.Queue[tuple[RetrievalServed, Headers]] = asyncio.Queue(maxsize=most)
        self._worker: asyncio.Task[None] | None = None
        self._failing = False

    def start(self) -> None:
        """Begin publishing. Call within the event loop that serves requests."""
        self._worker = asyncio.create_task(self._work(), name="roggia-retrieval-served")

    def offer(self, event: RetrievalServed, parent: Headers = ()) -> None:
        """Queue one event, part of the trace that `parent` names. Never waits, never fails: what does not fit is
        dropped and counted."""
        try:
            self._queue.put_nowait((event, parent))
        except asyncio.QueueFull:
            metrics.events_lost.labels("queue_full").inc()

    async def close(self, deadline_s: float = 2.0) -> None:
        """Publish what waits, within `deadline_s` seconds; count the rest as lost."""
        if self._worker is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), deadline_s)
        self._worker.cancel()
        with suppress(asyncio.CancelledError):
            await self._worker
        metrics.events_lost.labels("shutdown").inc(self._queue.qsize())

    async def _work(self) -> None:
        while True:
            event, parent = await self._queue.get()
            try:
                await self._send(event, parent)
            except asyncio.CancelledError:
                metrics.events_lost.labels("shutdown").inc()
                raise
            finally:
                self._queue.task_done()

    async def _send(self, event: RetrievalServed, parent: Headers) -> None:
        try:
            await self._publish(event, parent)
        except (RoggiaError, SchemasError) as error:
            metrics.events_lost.labels("publish").inc()
            if not self._failing:
                _log.warning("retrieval.served is not being published", error=str(error))
            self._failing = True
        else:
            self._failing = False
            metrics.events_published.inc()


def served(
    request: api.SearchRequest,
    found: Found,
    *,
    query_id: str,
    now_ms: int,
    latency_ms: float,
    with_text: Collection[str],
) -> RetrievalServed:
    """The event of one answer. The query's text is in it only when the tenant is among `with_text`."""
    return RetrievalServed(
        event_id=query_id,
        occurred_at=now_ms,
        tenant_id=request.tenant,
        domain=request.domain,
        generation=found.binding.generation,
        collection=found.binding.collection,
        model=found.binding.model,
        mode=request.mode.value,
        k=request.k,
        latency_ms=latency_ms,
        query_text=request.query if request.tenant in with_text else None,
        results=tuple(
            RetrievedPassage(doc_id=p.doc_id, chunk_id=p.chunk_id, revision=p.revision, score=p.score)
            for p in found.passages
        ),
    )
