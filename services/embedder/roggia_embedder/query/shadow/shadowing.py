"""Asks a generation in the shadow what a user has just been answered, after the answer and never in its way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import structlog
from roggia_runtime.clock import now_ms
from roggia_runtime.generations import sampled
from roggia_runtime.records import Headers

from roggia_embedder.query import api, metrics
from roggia_embedder.query.errors import QueryError, TimedOutError
from roggia_embedder.query.events import ShadowedEvents
from roggia_embedder.query.search import Searcher
from roggia_embedder.query.shadow.admission import Admission
from roggia_embedder.query.shadow.comparing import Answered, Sampled, shadowed
from roggia_embedder.query.shadow.settings import ShadowSettings

ShadowOf: TypeAlias = Callable[[str, str], int | None]
"""Tenant and domain to the generation that their searches are asked of as well, or None."""
State: TypeAlias = Callable[[int], str]
"""A generation's state in words; empty where it has no record."""
_log = structlog.get_logger()


def no_shadow(_tenant_id: str, _domain: str) -> int | None:
    """Nothing is in the shadow."""
    return None


@dataclass(frozen=True, slots=True)
class Record:
    """What the record of generations says: who is in the shadow, and how a generation stands."""

    shadow: ShadowOf = no_shadow
    state: State = lambda _: ""


class Shadowing:
    """Takes every search that was answered; samples, bounds, asks, tells. The searcher and the events are the
    caller's. `with_text` names the tenants whose query text may enter events."""

    def __init__(
        self,
        searcher: Searcher,
        events: ShadowedEvents,
        settings: ShadowSettings,
        admission: Admission,
        record: Record,
        with_text: Collection[str] = (),
    ) -> None:
        self._searcher, self._events, self._settings = searcher, events, settings
        self._admission, self._record, self._with_text = admission, record, frozenset(with_text)
        self._running: set[asyncio.Task[None]] = set()

    def offer(self, one: Sampled, parent: Headers = ()) -> None:
        """Start asking, if the search is in the sample and nothing speaks against it. Never waits, never fails: what
        may not start now is dropped and counted."""
        try:
            number = self._picked(one)
            if number is not None:
                self._admit(one, number, parent)
        except Exception as error:  # noqa: BLE001 - whatever it is, the user has an answer coming
            _log.error("search in the shadow not started", exc_info=error)
            metrics.shadow_dropped.labels("internal").inc()

    async def close(self) -> None:
        """Give up what is being asked."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        metrics.shadow_dropped.labels("shutdown").inc(len(running))

    def _picked(self, one: Sampled) -> int | None:
        """The generation to ask; none for a search outside the sample, for one that the shadow itself answered as a
        canary, and for measurements."""
        request, percent = one.request, self._settings.percent
        if not percent or request.measures:
            return None
        number = self._record.shadow(request.tenant, request.domain)
        if number is None or number == one.answered.generation:
            return None
        return number if sampled(request.tenant, request.query, percent) else None

    def _admit(self, one: Sampled, number: int, parent: Headers) -> None:
        refusal = self._admission.refusal(len(self._running))
        if refusal:
            metrics.shadow_dropped.labels(refusal).inc()
            return
        task = asyncio.create_task(self._work(one, number, parent), name="roggia-shadow")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _work(self, one: Sampled, number: int, parent: Headers) -> None:
        # A task of its own counts nothing as the user's request: it has a copy of its context.
        try:
            await self._compare(one, number, parent)
        except Exception as error:  # noqa: BLE001 - nobody awaits this task
            _log.error("search in the shadow not told", exc_info=error)
            metrics.shadow_dropped.labels("internal").inc()

    async def _compare(self, one: Sampled, number: int, parent: Headers) -> None:
        answered = msgspec.structs.replace(one.request, generation=number)
        other = await self._ask(answered, number)
        state = self._record.state(one.answered.generation)
        served = Answered(one.answered.generation, one.answered.latency_ms, one.answered.found, state=state)
        event = shadowed(
            Sampled(one.request, one.query_id, served),
            other,
            now_ms=now_ms(),
            percent=self._settings.percent,
            with_text=one.request.tenant in self._with_text,
        )
        _count(served, other, event.overlap)
        self._events.offer(event, parent)

    async def _ask(self, request: api.SearchRequest, number: int) -> Answered:
        started, found, error = time.perf_counter(), None, ""
        state = self._record.state(number)
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                found = await self._searcher.search(request)
        except QueryError as refused:
            error = refused.code
        except TimeoutError:
            error = TimedOutError.code
        except Exception as failed:  # noqa: BLE001 - a bug in one generation's path is something seen, too
            _log.error("search in the shadow failed", generation=number, exc_info=failed)
            error = QueryError.code
        return Answered(number, elapsed_ms(started), found, error, state)


def elapsed_ms(started: float) -> float:
    """Milliseconds since `time.perf_counter()` said `started`."""
    return round((time.perf_counter() - started) * 1_000, 3)


def _count(served: Answered, other: Answered, overlap: float | None) -> None:
    answer = "error" if other.found is None else "ok" if other.found.passages else "empty"
    metrics.shadow_queries.labels(answer).inc()
    if other.found is not None:
        metrics.shadow_seconds.labels("served").observe(served.latency_ms / 1_000)
        metrics.shadow_seconds.labels("shadow").observe(other.latency_ms / 1_000)
    if overlap is not None:
        metrics.shadow_overlap.observe(overlap)
