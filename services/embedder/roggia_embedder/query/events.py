"""Tells the log what was served, and what the shadow saw: best effort, never in the way of an answer.

Events wait in a bounded queue and are published by one task, in order. When Kafka is away or slow, what does not fit
is dropped and counted: popularity and shadow evaluation can live with gaps, a client cannot wait for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import ClassVar, Generic, TypeAlias, TypeVar

import structlog
from prometheus_client import Counter
from roggia_runtime.errors import RoggiaError
from roggia_runtime.records import Headers
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import RetrievalServed, RetrievalShadowed, RetrievedPassage
from roggia_schemas.wiretypes import Event

from roggia_embedder.query import api, metrics
from roggia_embedder.query.search import Found

Publish: TypeAlias = Callable[[RetrievalServed, Headers], Awaitable[object]]
"""Sends one event, in the trace that the headers name, and returns when the brokers have it; raises `RoggiaError` or
`SchemasError`."""
PublishShadowed: TypeAlias = Callable[[RetrievalShadowed, Headers], Awaitable[object]]
"""The same for what the shadow saw."""

_E = TypeVar("_E", bound=Event)
_log = structlog.get_logger()


class EventQueue(Generic[_E]):
    """A queue and its task, for events of one kind. `most` bounds the events that wait."""

    name: ClassVar[str]
    published: ClassVar[Counter]
    lost: ClassVar[Counter]

    def __init__(self, publish: Callable[[_E, Headers], Awaitable[object]], *, most: int = 1_000) -> None:
        self._publish = publish
        self._queue: asyncio.Queue[tuple[_E, Headers]] = asyncio.Queue(maxsize=most)
        self._worker: asyncio.Task[None] | None = None
        self._failing = False

    def start(self) -> None:
        """Begin publishing. Call within the event loop that serves requests."""
        self._worker = asyncio.create_task(self._work(), name=f"roggia-{self.name}")

    def offer(self, event: _E, parent: Headers = ()) -> None:
        """Queue one event, part of the trace that `parent` names. Never waits, never fails: what does not fit is
        dropped and counted."""
        try:
            self._queue.put_nowait((event, parent))
        except asyncio.QueueFull:
            self.lost.labels("queue_full").inc()

    async def close(self, deadline_s: float = 2.0) -> None:
        """Publish what waits, within `deadline_s` seconds; count the rest as lost."""
        if self._worker is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), deadline_s)
        self._worker.cancel()
        with suppress(asyncio.CancelledError):
            await self._worker
        self.lost.labels("shutdown").inc(self._queue.qsize())

    async def _work(self) -> None:
        while True:
            event, parent = await self._queue.get()
            try:
                await self._send(event, parent)
            except asyncio.CancelledError:
                self.lost.labels("shutdown").inc()
                raise
            finally:
                self._queue.task_done()

    async def _send(self, event: _E, parent: Headers) -> None:
        try:
            await self._publish(event, parent)
        except (RoggiaError, SchemasError) as error:
            self.lost.labels("publish").inc()
            if not self._failing:
                _log.warning(f"{self.name} is not being published", error=str(error))
            self._failing = True
        else:
            self._failing = False
            self.published.inc()


class ServedEvents(EventQueue[RetrievalServed]):
    """What users were answered."""

    name, published, lost = RetrievalServed.EVENT, metrics.events_published, metrics.events_lost


class ShadowedEvents(EventQueue[RetrievalShadowed]):
    """What the shadow saw: a queue of its own, so that it never takes the place of what was served."""

    name, published, lost = RetrievalShadowed.EVENT, metrics.shadow_events, metrics.shadow_events_lost


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
