"""HTTP routes of the audit API: who asks, parse, read, enter the reading, answer. Refusals are JSON as well.

An answer leaves only when its reading is in the ledger: what cannot be written down is not told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec
import structlog
from roggia_runtime.errors import UnavailableError as RuntimeUnavailableError
from roggia_schemas import topics
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from roggia_auditor.api import asking, messages
from roggia_auditor.api.access_log import Access, AccessLog
from roggia_auditor.api.asking import Parameters
from roggia_auditor.api.errors import (
    ApiError,
    BadRequestError,
    BodyTooLargeError,
    ForbiddenError,
    UnauthorizedError,
    UnavailableError,
)
from roggia_auditor.api.exporting import Exporting
from roggia_auditor.api.operations import OPERATIONS, Operation
from roggia_auditor.api.reading import Reading
from roggia_auditor.api.tokens import Grant, Scope, Tokens
from roggia_auditor.errors import TokensError
from roggia_auditor.leaf import Status

Handler: TypeAlias = Callable[["Asked"], Awaitable["Answer"]]
_UUID = re.compile(r"\A[0-9a-fA-F-]{36}\Z")
_JSON = "application/json"
_TOKENS = "the tokens' file cannot be read: whoever runs this service finds why in its log (roggia audit token)"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a known token."""

    request: Request
    given: Parameters
    grant: Grant

    def id(self, name: str) -> str:
        """A UUID in the path. Raises `BadRequestError`."""
        found = str(self.request.path_params[name])
        if not _UUID.match(found):
            raise BadRequestError(f"{name}: {found[:60]!r} is no UUID", name)
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, and what the access log says of it."""

    response: Response
    rows: Mapping[str, int]
    """How many by tenant; of one, also 0. An answer about nobody in particular has the empty name."""
    size: int
    undo: Callable[[], None] | None = None
    """Takes back what was begun, where the reading cannot be entered."""


class Routes:
    """The API's routes over what answers them."""

    def __init__(self, tokens: Tokens, access: AccessLog, reading: Reading, exporting: Exporting | None) -> None:
        self._tokens, self._access, self._reading, self._exporting = tokens, access, reading, exporting

    def _handlers(self) -> Mapping[str, Handler]:
        """Who answers each operation."""
        return {
            "records": self._records,
            "count": self._count,
            "record": self._record,
            "proof": self._proof,
            "usage": self._usage,
            "budget": self._budget,
            "duplicates": self._duplicates,
            "readings": self._readings,
            "tenants": self._tenants,
            "logs": self._logs,
            "begin_export": self._begin,
            "exports": self._exports,
            "export": self._export,
            "download": self._download,
        }

    def routes(self) -> Sequence[BaseRoute]:
        """Everything under `/v1`."""
        handlers = self._handlers()
        own = [Route(one.path, self._endpoint(one, handlers[one.name]), methods=[one.method]) for one in OPERATIONS]
        inner = Starlette(routes=own, exception_handlers={HTTPException: _refused, Exception: _failed})
        inner.router.redirect_slashes = False
        return [Mount(messages.ROOT, inner)]

    def _endpoint(self, operation: Operation, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return await self._answered(operation, handler, request)
            except ApiError as error:
                return _error(error.status, error.code, error.message, error.field)
            except TokensError as error:
                log.warning("audit_api", operation=operation.name, error=str(error))
                return _error(UnavailableError.status, UnavailableError.code, _TOKENS)
            except RuntimeUnavailableError as error:
                log.warning("audit_api", operation=operation.name, error=str(error))
                return _error(UnavailableError.status, UnavailableError.code, str(error))

        return endpoint

    async def _answered(self, operation: Operation, handler: Handler, request: Request) -> Response:
        grant = self._granted(request, operation.scope)
        given = asking.parameters(request.query_params.multi_items(), operation.parameters)
        answer = await handler(Asked(request, given, grant))
        query = asking.told(given) | {name: str(value) for name, value in request.path_params.items()}
        accesses = [
            Access(actor=grant.name, action=operation.name, tenant=tenant, query=query, rows=rows, bytes=answer.size)
            for tenant, rows in answer.rows.items()
        ]
        try:
            await self._access.enter(*accesses)
        except BaseException:
            if answer.undo is not None:
                answer.undo()
            raise
        return answer.response

    def _granted(self, request: Request, scope: Scope) -> Grant:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self._tokens.grant(token.strip()) if kind.lower() == "bearer" else None
        if grant is None:
            raise UnauthorizedError("Authorization: send Bearer and a token that the tokens' file grants")
        if scope not in grant.scopes:
            raise ForbiddenError(f"Authorization: the token {grant.name!r} has no scope {scope.value!r}")
        return grant

    async def _records(self, asked: Asked) -> Answer:
        found = await self._reading.records(asked.given, asking.selection(asked.given, asked.grant))
        return _json(found, _by_tenant(asked, [one.tenant for one in found.records]))

    async def _count(self, asked: Asked) -> Answer:
        wanted = replace(asking.selection(asked.given, asked.grant), topic=topics.INFERENCE_COMPLETED)
        found = await self._reading.count(wanted)
        return _json(found, {_only(asked): int(found.count)})

    async def _readings(self, asked: Asked) -> Answer:
        wanted = replace(asking.selection(asked.given, asked.grant), statuses=frozenset({Status.ACCESS}))
        found = await self._reading.readings(asked.given, wanted)
        return _json(found, _by_tenant(asked, [one.tenant for one in found.readings]))

    async def _record(self, asked: Asked) -> Answer:
        found = await self._reading.record(asked.id("event_id"), asked.grant)
        return _json(found, {found.record.tenant: 1})

    async def _proof(self, asked: Asked) -> Answer:
        tenant, text = await self._reading.proof(asked.id("event_id"), asked.grant)
        return Answer(Response(text, media_type="text/plain; charset=utf-8"), {tenant: 1}, len(text))

    async def _usage(self, asked: Asked) -> Answer:
        found = await self._reading.usage(asked.given, asked.grant)
        return _json(found, {found.tenant: len(found.rows)})

    async def _budget(self, asked: Asked) -> Answer:
        found = await self._reading.budget(asked.given, asked.grant)
        return _json(found, {found.tenant: len(found.months)})

    async def _duplicates(self, asked: Asked) -> Answer:
        found = await self._reading.duplicates(asked.given, asked.grant)
        return _json(found, _by_tenant(asked, [one.tenant for one in found.duplicates]))

    async def _tenants(self, asked: Asked) -> Answer:
        found = await self._reading.tenants(asked.grant)
        return _json(found, {"": len(found.tenants)})

    async def _logs(self, _asked: Asked) -> Answer:
        found = await self._reading.logs()
        return _json(found, {"": len(found.logs)})

    async def _begin(self, asked: Asked) -> Answer:
        wanted = await _body(asked.request)
        tenant = asking.allowed(wanted.tenant, asked.grant)
        await self._reading.check_known(tenant)
        job = self._jobs().begin(tenant)
        answer = _json(job, {job.tenant: 0}, 202)
        return replace(answer, undo=lambda: self._jobs().take_back(job.id))

    async def _exports(self, asked: Asked) -> Answer:
        found = messages.Exports(exports=tuple(self._jobs().listed(asked.grant)))
        return _json(found, {"": len(found.exports)})

    async def _export(self, asked: Asked) -> Answer:
        job = self._jobs().one(asked.id("id"), asked.grant)
        return _json(job, {job.tenant: 0})

    async def _download(self, asked: Asked) -> Answer:
        job = self._jobs().one(asked.id("id"), asked.grant)
        path = self._jobs().archive(job.id, asked.grant)
        name = f"roggia-audit-{job.tenant}.tar"
        response = FileResponse(path, media_type="application/x-tar", filename=name)
        return Answer(response, {job.tenant: int(job.records)}, path.stat().st_size)

    def _jobs(self) -> Exporting:
        if self._exporting is None:
            raise UnavailableError("exports: a checkpoint must be signed for one; set ROGGIA_AUDITOR_SIGNING_KEY")
        return self._exporting


def _only(asked: Asked) -> str:
    """The tenant that a list is of, where it is of one."""
    tenants = asking.tenants(asked.given, asked.grant)
    return next(iter(tenants)) if tenants is not None and len(tenants) == 1 else ""


async def _body(request: Request) -> messages.ExportRequest:
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > messages.MAX_BODY_BYTES:
            raise BodyTooLargeError(f"body: more than {messages.MAX_BODY_BYTES} bytes", "body")
    try:
        return msgspec.json.decode(raw, type=messages.ExportRequest)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise BadRequestError(f'body: {error}; send {{"tenant": "…"}} in JSON', "body") from error


def _by_tenant(asked: Asked, tenants: Sequence[str]) -> Mapping[str, int]:
    """Whose rows an answer holds: each tenant's readings are to be in its own export."""
    return Counter(tenants) or {_only(asked): 0}


def _json(content: msgspec.Struct, rows: Mapping[str, int], status: int = 200) -> Answer:
    raw = msgspec.json.encode(content)
    return Answer(Response(raw, status_code=status, media_type=_JSON), rows, len(raw))


def _error(status: int, code: str, message: str, field: str = "") -> Response:
    detail = messages.ErrorDetail(code=code, message=message, field=field)
    response = Response(msgspec.json.encode(messages.ErrorResponse(error=detail)), status, media_type=_JSON)
    if status == UnavailableError.status:
        response.headers["retry-after"] = "1"
    if status == UnauthorizedError.status:
        response.headers["www-authenticate"] = "Bearer"
    return response


async def _refused(request: Request, error: Exception) -> Response:
    """Paths and methods that do not exist; bodies that do not end in time."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if isinstance(error, HTTPException) and status in (400, 408):
        return _error(status, "too_slow" if status == 408 else "invalid_request", error.detail, "body")
    code = "method_not_allowed" if status == 405 else "unknown_path"
    return _error(
        status, code, f"{request.method} {request.scope['path'][:200]} does not exist here; see the OpenAPI page"
    )


async def _failed(request: Request, error: Exception) -> Response:
    """A bug: logged with its trace, told to the client without details."""
    log.error("request failed", path=request.scope["path"], exc_info=error)
    return _error(500, "internal", "the server failed to answer; its log says why")
