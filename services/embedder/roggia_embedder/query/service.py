"""What the HTTP layer calls: search and ask, timed, counted and reported to the log. Knows no HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypedDict

from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7
from roggia_runtime.records import Headers

from roggia_embedder.query import answer, api
from roggia_embedder.query.errors import TimedOutError
from roggia_embedder.query.events import ServedEvents, served
from roggia_embedder.query.search import Found, Searcher, payer
from roggia_embedder.query.shadow.comparing import Answered, Sampled
from roggia_embedder.query.shadow.shadowing import Shadowing, elapsed_ms


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """`deadline_s` bounds one request. `threshold` is the least cosine of question and best sentence that counts as an
    answer; it belongs to the model (measured in the search design page)."""

    deadline_s: float = 30.0
    threshold: float = 0.45


@dataclass(frozen=True, slots=True)
class _Search:
    """A search that is done: when its request came, and how long the search alone took."""

    request: api.SearchRequest
    found: Found
    started: float
    took_ms: float


class _Served(TypedDict):
    query_id: str
    generation: int
    collection: str
    model: str
    latency_ms: float


class QueryService:
    """Search and ask over one searcher. `with_text` names the tenants whose query text may enter events. `shadow` is
    offered every answer."""

    def __init__(
        self,
        searcher: Searcher,
        events: ServedEvents,
        *,
        limits: QueryLimits = QueryLimits(),
        with_text: Collection[str] = (),
        shadow: Shadowing | None = None,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._searcher = searcher
        self._events = events
        self._limits = limits
        self._with_text = frozenset(with_text)
        self._shadow = shadow
        self._clock_ms = clock_ms
        self._in_flight = 0

    def in_flight(self) -> int:
        """Requests that are being answered now."""
        return self._in_flight

    async def search(self, request: api.SearchRequest, parent: Headers = ()) -> api.SearchResponse:
        """Passages for a checked request. `parent` names the client's trace. Raises `QueryError`."""
        async with self._answering():
            search = await self._search(request)
        return api.SearchResponse(**self._report(search, parent), results=search.found.passages)

    async def ask(self, request: api.SearchRequest, parent: Headers = ()) -> api.AskResponse:
        """An extractive answer to a checked request. `parent` names the client's trace. Raises `QueryError`."""
        async with self._answering():
            search = await self._search(request)
            found = search.found
            draft = await self._draft(request, found)
        return api.AskResponse(
            **self._report(search, parent),
            answer=draft.text,
            found=bool(draft.cited),
            relevance=draft.relevance,
            threshold=self._limits.threshold,
            citations=tuple(_citation(n, found.passages[i]) for n, i in enumerate(draft.cited, start=1)),
        )

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        self._in_flight += 1
        try:
            async with _deadline(self._limits.deadline_s):
                yield
        finally:
            self._in_flight -= 1

    async def _search(self, request: api.SearchRequest) -> _Search:
        started = time.perf_counter()
        found = await self._searcher.search(request)
        return _Search(request, found, started, elapsed_ms(started))

    async def _draft(self, request: api.SearchRequest, found: Found) -> answer.Draft:
        model, question, owner = self._searcher.model(found.binding), request.query, payer(request)
        pool = answer.candidates(question, found.passages)
        fitting = await model.fitting([sentence.text for sentence in pool])
        pool = tuple(sentence for sentence, fits in zip(pool, fitting, strict=True) if fits)
        if not pool:
            return answer.Draft(answer.NOTHING_FOUND, (), 0.0)
        vector = found.vector if found.vector is not None else await model.encode_query(question, owner)
        rows = await model.encode_sentences([sentence.text for sentence in pool], owner)
        return answer.compose(pool, vector, rows, self._limits.threshold)

    def _report(self, search: _Search, parent: Headers) -> _Served:
        found = search.found
        facts = _Served(
            query_id=uuid7(),
            generation=found.binding.generation,
            collection=found.binding.collection,
            model=found.binding.model,
            latency_ms=elapsed_ms(search.started),
        )
        if not search.request.measures:
            self._tell(search, facts, parent)
        return facts

    def _tell(self, search: _Search, facts: _Served, parent: Headers) -> None:
        """The log, and the shadow. Of measurements neither hears: what nobody asked for must not count as popular."""
        event = served(
            search.request,
            search.found,
            query_id=facts["query_id"],
            now_ms=self._clock_ms(),
            latency_ms=facts["latency_ms"],
            with_text=self._with_text,
        )
        self._events.offer(event, parent)
        if self._shadow is not None:
            answered = Answered(facts["generation"], search.took_ms, search.found)
            self._shadow.offer(Sampled(search.request, facts["query_id"], answered), parent)


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            yield
    except TimeoutError:
        if not scope.expired():
            raise
        raise TimedOutError(f"no answer within {seconds:g} s; try again, or ask for fewer passages") from None


def _citation(n: int, found: api.Passage) -> api.Citation:
    return api.Citation(
        n=n,
        doc_id=found.doc_id,
        chunk_id=found.chunk_id,
        score=found.score,
        text=found.text,
        title=found.title,
        heading_path=found.heading_path,
        source=found.source,
    )
