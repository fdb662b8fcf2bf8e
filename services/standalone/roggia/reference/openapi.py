"""OpenAPI 3.1 of the query API: schemas from the structs that the server parses and writes, codes from its errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml
from roggia_embedder.query import api, validate
from roggia_embedder.query.errors import QueryError
from roggia_runtime import findings
from roggia_schemas.names import SLUG
from roggia_schemas.topics.names import MAX_GENERATION

_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_SERVER = {408: ("too_slow",), 421: ("unknown_host",), 500: ("internal",)}
_MEANING = {
    400: "The request breaks a rule; `message` names field, value and remedy.",
    404: "No index of this tenant and domain, or none of the generation asked for.",
    408: "The body did not end in time.",
    409: "Another verification runs; there is one at a time.",
    413: f"The body has more than {api.MAX_BODY_BYTES} bytes.",
    421: "The Host header is none of the server's names.",
    500: "A fault of the server; its log says which.",
    503: "Not now; try again after `Retry-After` seconds.",
}
_SLUG = {"pattern": f"^{SLUG}$"}
_SLUG_OR_NONE = {"pattern": f"^({SLUG})?$"}
_VALUE = {"type": "string", "maxLength": validate.MAX_VALUE_CHARS}
_NAME = _VALUE | {"minLength": 1}
_OPTIONAL = {"anyOf": [_NAME, {"type": "null"}]}
_RULES: dict[str, dict[str, dict[str, Any]]] = {
    "SearchRequest": {
        "tenant": _SLUG,
        "domain": _SLUG,
        "query": {"minLength": 1, "maxLength": validate.MAX_QUERY_CHARS},
        "groups": {"maxItems": validate.MAX_GROUPS, "items": _NAME},
        "k": {"minimum": 1, "maximum": api.MAX_K},
        "generation": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_GENERATION}, {"type": "null"}]},
    },
    "Filters": {
        "language": _OPTIONAL,
        "source": _OPTIONAL,
        "metadata": {
            "maxProperties": validate.MAX_METADATA_FILTERS,
            "propertyNames": _NAME,
            "additionalProperties": _VALUE,
        },
    },
    "VerifyRequest": {
        "tenant": _SLUG_OR_NONE,
        "domain": _SLUG_OR_NONE,
        "collection": {"pattern": f"^(kb_{SLUG}_{SLUG}__[a-z0-9-]+)?$"},
        "points_per_s": {"minimum": 0, "maximum": findings.MAX_POINTS_PER_S},
    },
}
"""What is checked after parsing, and therefore stands in no struct."""
_QUESTION = {"tenant": "acme", "domain": "docs", "query": "how often are signing keys rotated", "k": 5}


def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": _info(),
        "paths": {
            api.SEARCH_PATH: {"post": _question("search", "Find passages", api.SearchResponse)},
            api.ASK_PATH: {"post": _question("ask", "Answer with citations", api.AskResponse)},
            api.COLLECTIONS_PATH: {"get": _collections()},
            findings.VERIFY_PATH: {"post": _verify()},
        },
        "components": {"schemas": _schemas()},
    }


def page() -> str:
    """The document as YAML."""
    return yaml.safe_dump(document(), sort_keys=False, width=116, allow_unicode=True)


def _info() -> dict[str, Any]:
    return {
        "title": "Roggia query API",
        "version": "1",
        "description": "Search, answers with citations, the list of collections and the verification of an index. "
        "Every refusal has one shape: a stable code, a message with the remedy, and the field where there is one.",
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    }


def _question(name: str, summary: str, answer: type[msgspec.Struct]) -> dict[str, Any]:
    codes: dict[int, tuple[str, ...]] = dict(_SERVER)
    for error in _errors(QueryError):
        codes[error.status] = tuple(sorted({*codes.get(error.status, ()), error.code}))
    body = {"schema": _ref(api.SearchRequest), "examples": {"question": {"value": dict(_QUESTION)}}}
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": {_JSON: body}},
        "responses": {"200": _answer(answer), **_refusals(codes)},
    }


def _collections() -> dict[str, Any]:
    codes = {code: _SERVER[code] for code in (421, 500)} | {503: ("unavailable",)}
    return {
        "operationId": "collections",
        "summary": "List the collections of the index",
        "responses": {"200": _answer(api.CollectionsResponse), **_refusals(codes)},
    }


def _verify() -> dict[str, Any]:
    codes = {400: ("invalid_request",), 408: ("invalid_request",), 409: ("busy",), 421: _SERVER[421]}
    lines = {"type": "array", "items": {"$ref": _REF.format(name="Message")}}
    return {
        "operationId": "verify",
        "summary": "Compare the index with the log",
        "requestBody": {"required": False, "content": {_JSON: {"schema": _ref(findings.VerifyRequest)}}},
        "responses": {
            "200": {
                "description": "One message per line, the last a summary or an error. The schema is that of all lines.",
                "content": {findings.MEDIA_TYPE: {"schema": lines}},
            },
            **_refusals(codes),
        },
    }


def _errors(root: type[QueryError]) -> Iterator[type[QueryError]]:
    for error in root.__subclasses__():
        yield error
        yield from _errors(error)


def _answer(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"description": _doc(kind.__doc__), "content": {_JSON: {"schema": _ref(kind)}}}


def _refusals(codes: Mapping[int, tuple[str, ...]]) -> dict[str, Any]:
    return {str(status): _refusal(status, codes[status]) for status in sorted(codes)}


def _refusal(status: int, codes: tuple[str, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": f"{_MEANING[status]} Code: {', '.join(f'`{code}`' for code in codes)}.",
        "content": {_JSON: {"schema": _ref(api.ErrorResponse)}},
    }
    if status == 503:
        made["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}
    return made


def _schemas() -> dict[str, Any]:
    kinds = [api.SearchRequest, api.SearchResponse, api.AskResponse, api.CollectionsResponse, api.ErrorResponse]
    (*_, message), found = msgspec.json.schema_components(
        [*kinds, findings.VerifyRequest, findings.Message], ref_template=_REF
    )
    for name, fields in _RULES.items():
        for field, rules in fields.items():
            found[name]["properties"][field] |= rules
    schemas: dict[str, Any] = {"Message": message, **found}
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = _doc(schema["description"])
    return schemas


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _doc(text: str | None) -> str:
    return " ".join((text or "").split())
