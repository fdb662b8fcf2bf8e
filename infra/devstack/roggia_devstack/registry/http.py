"""The Schema Registry REST API over a `SchemaBook`: the part that clients of Avro schemas use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from roggia_runtime.hosts import EVERY, Hosts, KnownHosts
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from roggia_devstack.registry.book import SchemaBook
from roggia_devstack.registry.errors import BadRequestError, InvalidSchemaError, RegistryError
from roggia_devstack.registry.values import Schema, Version

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
MAX_BODY_BYTES = 4 << 20
MAX_DIGITS = 19
HOSTS_SETTING = "ROGGIA_DEVREGISTRY_HOSTS"

Body: TypeAlias = dict[str, Any]
Handle: TypeAlias = Callable[["Call"], Any]


class Call:
    """One request as the handlers see it."""

    def __init__(self, request: Request, body: Body) -> None:
        self.body = body
        self._path, self._query = request.path_params, request.query_params

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self._path[name])

    def number(self, name: str) -> int:
        """A part of the path that is a whole number; one that no id can be is 0, which none is."""
        digits = str(self._path[name])
        return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= MAX_DIGITS else 0

    def flag(self, name: str) -> bool:
        """A switch in the query string; off when absent."""
        return self._query.get(name, "false").lower() == "true"

    @property
    def schema(self) -> str:
        """The Avro schema of the body. Raises `InvalidSchemaError`."""
        kind, text = self.body.get("schemaType") or "AVRO", self.body.get("schema")
        if kind != "AVRO":
            raise InvalidSchemaError(f"schemaType: {kind!r} is not supported; use AVRO")
        if self.body.get("references"):
            raise InvalidSchemaError("references: not supported; write the named types into the schema itself")
        if not isinstance(text, str):
            raise InvalidSchemaError("schema: missing; send the Avro schema as a string")
        return text


def application(book: SchemaBook, hosts: Hosts = EVERY) -> Starlette:
    """Make the ASGI application, which refuses calls by another name than `hosts` has. The book stays open after it."""
    subject, version = "/subjects/{subject}", "/subjects/{subject}/versions/{version}"
    routes = [
        _route("GET", "/", lambda _: {}),
        _route("GET", "/schemas/types", lambda _: ["AVRO"]),
        _route("GET", "/schemas/ids/{id}", lambda call: _schema(book.schema(call.number("id")))),
        _route("GET", "/schemas/ids/{id}/schema", lambda call: json.loads(book.schema(call.number("id")).text)),
        _route("GET", "/schemas/ids/{id}/subjects", lambda call: [v.subject for v in book.uses(call.number("id"))]),
        _route("GET", "/schemas/ids/{id}/versions", lambda call: _uses(book.uses(call.number("id")))),
        _route("GET", "/schemas/guids/{guid}", lambda call: _schema(book.schema_by_guid(call.path("guid")))),
        _route("GET", "/subjects", lambda call: book.subjects(deleted=call.flag("deleted"))),
        _route("GET", f"{subject}/versions", lambda call: _numbers(book, call)),
        _route("POST", f"{subject}/versions", lambda call: _registered(book, call)),
        _route("GET", version, lambda call: _version(*_wanted(book, call))),
        _route("GET", f"{version}/schema", lambda call: json.loads(_wanted(book, call)[0].text)),
        _route("GET", f"{version}/referencedby", lambda call: _unreferenced(book, call)),
        _route("DELETE", version, lambda call: _deleted_version(book, call)),
        _route("POST", subject, lambda call: _looked_up(book, call)),
        _route("DELETE", subject, lambda call: _deleted_subject(book, call)),
        _route("POST", f"/compatibility{version}", lambda call: _compatible(book, call, call.path("version"))),
        _route("POST", f"/compatibility{subject}/versions", lambda call: _compatible(book, call, None)),
        _route("GET", "/config", lambda _: {"compatibilityLevel": book.level()}),
        _route("PUT", "/config", lambda call: {"compatibility": book.set_level(call.body.get("compatibility"))}),
        _route("GET", "/config/{subject}", lambda call: _level(book, call)),
        _route("PUT", "/config/{subject}", lambda call: _set_level(book, call)),
        _route("DELETE", "/config/{subject}", lambda call: _unset_level(book, call)),
        _route("GET", "/mode", lambda _: {"mode": "READWRITE"}),
        _route("GET", "/mode/{subject}", lambda _: {"mode": "READWRITE"}),
    ]
    known = Middleware(KnownHosts, hosts, HOSTS_SETTING, _refused)
    made = Starlette(routes=routes, middleware=[known], exception_handlers={HTTPException: _http_error})
    made.router.redirect_slashes = False
    return made


def _route(method: str, path: str, handle: Handle) -> Route:
    sends = method in ("POST", "PUT")

    async def endpoint(request: Request) -> Response:
        try:
            return _answer(handle(Call(request, await _body(request) if sends else {})))
        except RegistryError as error:
            return _answer({"error_code": error.code, "message": str(error)}, error.status)

    return Route(path, endpoint, methods=[method])


async def _body(request: Request) -> Body:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MAX_BODY_BYTES:
            raise BadRequestError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise BadRequestError("the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise BadRequestError("the body is not a JSON object")
    return body


def _answer(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, media_type=CONTENT_TYPE)


def _refused(message: str, status: int) -> Response:
    return _answer({"error_code": status, "message": message}, status)


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    why = error.detail if isinstance(error, HTTPException) and status in (400, 408) else "no such resource or method"
    return _answer({"error_code": status, "message": f"HTTP {status}: {why}"}, status)


def _schema(schema: Schema) -> Body:
    return {"schema": schema.text, "guid": schema.guid}


def _uses(versions: list[Version]) -> list[Body]:
    return [{"subject": version.subject, "version": version.number} for version in versions]


def _version(schema: Schema, version: Version) -> Body:
    row = {"subject": version.subject, "version": version.number, "id": schema.schema_id}
    return {**row, "guid": schema.guid, "schemaType": "AVRO", "schema": schema.text}


def _wanted(book: SchemaBook, call: Call) -> tuple[Schema, Version]:
    return book.version(call.path("subject"), call.path("version"), deleted=call.flag("deleted"))


def _numbers(book: SchemaBook, call: Call) -> list[int]:
    return [version.number for version in book.versions(call.path("subject"), deleted=call.flag("deleted"))]


def _registered(book: SchemaBook, call: Call) -> Body:
    return _version(*book.register(call.path("subject"), call.schema))


def _looked_up(book: SchemaBook, call: Call) -> Body:
    return _version(*book.lookup(call.path("subject"), call.schema, deleted=call.flag("deleted")))


def _unreferenced(book: SchemaBook, call: Call) -> list[int]:
    _wanted(book, call)
    return []


def _deleted_subject(book: SchemaBook, call: Call) -> list[int]:
    return book.delete_subject(call.path("subject"), permanent=call.flag("permanent"))


def _deleted_version(book: SchemaBook, call: Call) -> int:
    return book.delete_version(call.path("subject"), call.path("version"), permanent=call.flag("permanent"))


def _compatible(book: SchemaBook, call: Call, version: str | None) -> Body:
    messages = book.compatible(call.path("subject"), call.schema, version)
    answer: Body = {"is_compatible": not messages}
    return {**answer, "messages": messages} if call.flag("verbose") else answer


def _level(book: SchemaBook, call: Call) -> Body:
    subject = call.path("subject")
    level = book.level(subject) if call.flag("defaultToGlobal") else book.own_level(subject)
    return {"compatibilityLevel": level}


def _set_level(book: SchemaBook, call: Call) -> Body:
    return {"compatibility": book.set_level(call.body.get("compatibility"), call.path("subject"))}


def _unset_level(book: SchemaBook, call: Call) -> Body:
    return {"compatibilityLevel": book.unset_level(call.path("subject"))}
