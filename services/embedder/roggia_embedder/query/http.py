"""HTTP routes of the query role: parse, call, write JSON. Every refusal is JSON too: code, message and field."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec
import structlog
from roggia_runtime.records import Headers
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.query import answering, api, metrics, validate
from roggia_embedder.query.errors import BodyTooLargeError, QueryError
from roggia_embedder.query.service import QueryService

_Answer: TypeAlias = Callable[[api.SearchRequest, Headers], Awaitable[msgspec.Struct]]
_Listed: TypeAlias = Callable[[], Awaitable[msgspec.Struct]]
_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_ROOT = "/v1"
_BODY = {400: "invalid_request", 408: "too_slow"}
"""Refusals of the server itself, made while a body is read."""
_log = structlog.get_logger()


def routes(service: QueryService, listed: _Listed) -> Sequence[BaseRoute]:
    """`POST /v1/search`, `POST /v1/ask` and `GET /v1/collections`; everything under `/v1` answers in JSON."""
    answers = {api.SEARCH_PATH: ("search", service.search), api.ASK_PATH: ("ask", service.ask)}
    own = [
        Route(path.removeprefix(_ROOT), _endpoint(name, answer), methods=["POST"])
        for path, (name, answer) in answers.items()
    ]
    own.append(Route(api.COLLECTIONS_PATH.removeprefix(_ROOT), _listing(listed), methods=["GET"]))
    inner = Starlette(routes=own, exception_handlers={HTTPException: _refused, Exception: _failed})
    inner.router.redirect_slashes = False
    return [Mount(_ROOT, inner)]


def _endpoint(route: str, answer: _Answer) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        try:
            asked = validate.parse(await _body(request))
            with answering.counted() as counted:
                answered = await answer(asked, _trace(request))
                counted.empty = isinstance(answered, api.SearchResponse) and not answered.results
            response = _json(200, answered)
            outcome = "ok"
        except QueryError as error:
            outcome = error.code
            response = _error(error.status, error.code, error.message, error.field)
        metrics.requests.labels(route, outcome).inc()
        metrics.seconds.labels(route).observe(time.perf_counter() - started)
        return response

    return endpoint


def _listing(listed: _Listed) -> _Endpoint:
    async def endpoint(_request: Request) -> Response:
        try:
            return _json(200, await listed())
        except StoreUnavailableError as error:
            return _error(503, "unavailable", str(error))

    return endpoint


def _trace(request: Request) -> Headers:
    """The client's W3C trace context, as Kafka headers."""
    parent = request.headers.get("traceparent")
    return (("traceparent", parent.encode("latin-1")),) if parent else ()


async def _body(request: Request) -> bytes:
    """The whole body, read no further than the limit."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > api.MAX_BODY_BYTES:
            raise BodyTooLargeError(f"body: more than {api.MAX_BODY_BYTES} bytes; shorten the request", "body")
    return b"".join(parts)


def _json(status: int, content: msgspec.Struct) -> Response:
    return Response(api.encode(content), status_code=status, media_type="application/json")


def _error(status: int, code: str, message: str, field: str = "") -> Response:
    response = _json(status, api.ErrorResponse(error=api.ErrorDetail(code=code, message=message, field=field)))
    if status == 503:
        response.headers["retry-after"] = "1"
    return response


async def _refused(request: Request, error: Exception) -> Response:
    """Routes and methods that do not exist; bodies that do not end in time."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if isinstance(error, HTTPException) and status in _BODY:
        return _error(status, _BODY[status], error.detail, "body")
    known = f"POST {api.SEARCH_PATH}, POST {api.ASK_PATH} and GET {api.COLLECTIONS_PATH}"
    code = "method_not_allowed" if status == 405 else "unknown_path"
    return _error(status, code, f"{request.method} {request.scope['path']} does not exist here; use {known}")


async def _failed(request: Request, error: Exception) -> Response:
    """A bug: logged with its trace, told to the client without details."""
    _log.error("request failed", path=request.scope["path"], exc_info=error)
    return _error(500, "internal", "the server failed to answer; its log says why")
