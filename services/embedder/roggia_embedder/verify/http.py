"""`POST /v1/verify`: a run as a stream of lines. Who hangs up ends the run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Protocol

import msgspec
from roggia_runtime.findings import MAX_POINTS_PER_S, MEDIA_TYPE, VERIFY_PATH, Failure, Message, VerifyRequest, line
from roggia_schemas.errors import InvalidNameError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from roggia_embedder.verify.errors import BadRequestError, BusyError

MAX_BODY_BYTES = 4 << 20


class Verifies(Protocol):
    """What the route calls: a `Verifier`, or the `Verifiers` of several generations."""

    def begin(self, request: VerifyRequest) -> AsyncGenerator[Message]:
        """See `Verifier`."""
        ...


def routes(verifier: Verifies) -> list[Route]:
    """The route, to stand before the query role's, which answers for everything else under `/v1`."""

    async def endpoint(request: Request) -> Response:
        try:
            messages = verifier.begin(_parsed(await _body(request)))
        except (BadRequestError, InvalidNameError) as error:
            return _error(400, "invalid_request", str(error), error.field)
        except BusyError as error:
            return _error(409, "busy", str(error))
        except HTTPException as error:
            return _error(error.status_code, "invalid_request", error.detail, "body")
        return StreamingResponse(_lines(messages), media_type=MEDIA_TYPE)

    return [Route(VERIFY_PATH, endpoint, methods=["POST"])]


async def _lines(messages: AsyncGenerator[Message]) -> AsyncIterator[bytes]:
    async with aclosing(messages) as open_messages:
        try:
            async for message in open_messages:
                yield line(message)
        except BusyError as error:
            yield line(Failure(message=str(error)))


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise BadRequestError("body", f"more than {MAX_BODY_BYTES} bytes; name fewer documents at a time")
    return bytes(body)


def _parsed(body: bytes) -> VerifyRequest:
    try:
        request = msgspec.json.decode(body or b"{}", type=VerifyRequest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError("body", f"{error}") from None
    if not 0 <= request.points_per_s <= MAX_POINTS_PER_S:
        raise BadRequestError("points_per_s", f"{request.points_per_s:g} is not within 0 to {MAX_POINTS_PER_S:,}")
    return request


def _error(status: int, code: str, message: str, field: str = "") -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "field": field}}, status)
