"""`Ask` over `POST /v1/search`."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from roggia_runtime.errors import UnavailableError

from roggia_operator.evaluation.errors import EvaluationError, WrongGenerationError
from roggia_operator.evaluation.ports import Answer, Hit, Question

SEARCH_PATH = "/v1/search"
_TRIES = 4
_BUSY = (429, 503)
_CUT = (aiohttp.ClientError, TimeoutError, OSError)


class _Passage(msgspec.Struct):
    doc_id: str
    chunk_id: str
    score: float


class _Response(msgspec.Struct):
    generation: int
    collection: str
    model: str
    results: list[_Passage] = []


class QueryApi:
    """An `Ask`, for as long as it is entered. `base` is the query service's URL."""

    def __init__(self, base: str, *, timeout_s: float = 30.0, pause_s: float = 0.5) -> None:
        self._base, self._pause_s = base.rstrip("/"), pause_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # The caller bounds what is asked at once; a bound here would count as latency.
        self._http = aiohttp.ClientSession(timeout=self._timeout, connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _raised: BaseException | None,
                        _trace: TracebackType | None) -> None:  # fmt: skip
        if self._http is not None:
            await self._http.close()

    async def __call__(self, question: Question) -> Answer:
        """See `Ask`. A busy or silent service is asked again, with growing pauses."""
        last = ""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(self._pause_s * 2 ** (attempt - 1))
            started = time.perf_counter()
            try:
                status, body = await self._post(question)
            except _CUT as failed:
                last = type(failed).__name__
                continue
            if status not in _BUSY:
                return _answer(question, status, body, time.perf_counter() - started)
            last = f"status {status}"
        raise UnavailableError(f"the query service at {self._base} does not answer ({last}, {_TRIES} tries)")

    async def _post(self, question: Question) -> tuple[int, bytes]:
        if self._http is None:
            raise RuntimeError("QueryApi is used before it is entered")
        async with self._http.post(self._base + SEARCH_PATH, data=self._body(question)) as reply:
            return reply.status, await reply.read()

    def _body(self, question: Question) -> bytes:
        body: dict[str, Any] = {
            "tenant": question.tenant,
            "domain": question.domain,
            "query": question.query,
            "groups": question.groups,
            "k": question.k,
            "mode": question.mode,
        }
        # Left out where not asked for: a service that does not know them refuses fields that it does not know.
        if question.generation is not None:
            body["generation"] = question.generation
        if question.exact:
            body["exact"] = True
        return msgspec.json.encode(body)


def _answer(question: Question, status: int, body: bytes, seconds: float) -> Answer:
    if status >= 400:
        raise EvaluationError(f"{question.tenant}/{question.domain}: the query service refuses: {_said(status, body)}")
    try:
        found = msgspec.json.decode(body, type=_Response)
    except msgspec.DecodeError as wrong:
        raise EvaluationError(f"the query service's answer cannot be read ({wrong}); is this its address?") from None
    if question.generation not in (None, found.generation):
        raise WrongGenerationError(
            f"{question.tenant}/{question.domain}: generation {question.generation} was asked, {found.generation} "
            f"answered from {found.collection}; does generation {question.generation} hold this knowledge base?"
        )
    hits = tuple(Hit(one.doc_id, one.chunk_id, one.score) for one in found.results)
    return Answer(hits, found.generation, found.collection, found.model, seconds)


def _said(status: int, body: bytes) -> str:
    try:
        error = msgspec.json.decode(body)["error"]
        return f"{error['message']} ({status})"
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"status {status}"
