"""OpenAPI 3.1 of the audit API: paths from its table of operations, schemas from the structs that it writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml
from roggia_auditor.api import asking, errors, messages
from roggia_auditor.api.operations import OPERATIONS, Operation
from roggia_auditor.reports import LOOKED_UP
from roggia_schemas.names import SLUG

_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_ALWAYS = (400, 401, 403, 421, 500, 503)
_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    408: "too_slow",
    409: "not_sealed or busy",
    413: "body_too_large",
    421: "unknown_host",
    500: "internal",
    503: "unavailable",
}
_MEANING = {
    400: "A parameter breaks a rule; `message` names it, its value and the remedy.",
    401: "No token, or none that is granted.",
    403: "The token is not good for this tenant or this operation.",
    404: "Nothing that this token may see.",
    408: "The body did not end in time.",
    409: "Not sealed yet, or as many exports wait as may.",
    413: f"The body has more than {messages.MAX_BODY_BYTES} bytes.",
    421: "The Host header is none of the server's names.",
    500: "A fault of the server; its log says which.",
    503: "The ledger or the tokens' file cannot be read now; try again after `Retry-After` seconds.",
}
_TEXT = {"type": "string", "maxLength": 300}
_MONTH = {"type": "string", "pattern": r"^\d{4}-(0[1-9]|1[0-2])$"}
_PARAMETERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "tenant": (
        "One tenant; without it, those of the token. Sums are of one tenant.",
        {"type": "string", "pattern": f"^({SLUG})?$"},
    ),
    **{name: (f"Records with this {name}.", _TEXT) for name in LOOKED_UP},
    "from": ("From this day or moment on (RFC 3339); of usage, this month.", _TEXT),
    "to": ("Up to this day or moment, without it; of usage, this month too.", _TEXT),
    "day": ("Records of this day in the tenant's zone.", {"type": "string", "pattern": r"^(\d{4}-\d{2}-\d{2})?$"}),
    "model": ("provider/model of the last attempt.", _TEXT),
    "prompt": ("name@version.", _TEXT),
    "status": ("What became of records.", {"enum": ["rated", "unpriced", "parked", "unreadable"]}),
    "late": ("true: only those that another month counts than their own.", {"enum": ["true", "false"]}),
    "limit": ("Records of a page.", {"type": "integer", "minimum": 1, "maximum": messages.MAX_LIMIT, "default": 100}),
    "cursor": ("`next` of the page before.", _TEXT),
    "month": ("YYYY-MM, as it is booked.", _MONTH),
    "group_by": (
        f"Names behind commas, of month, {', '.join(asking.GROUPS)}; empty: one sum.",
        {"type": "string", "default": "month,model"},
    ),
    "origin": (
        "Whose use; without it the tenant's own: live and canary.",
        {"enum": ["all", *asking.ORIGINS]},
    ),
}
_IN_PATH = re.compile(r"\{(\w+)\}")


def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {}
    for one in OPERATIONS:
        paths.setdefault(messages.ROOT + one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Roggia audit API",
            "version": "1",
            "description": "Records, exact costs, budgets, proofs and exports. Every answered request is itself "
            "entered into the audit log before its answer leaves. Large numbers are text, amounts are pico-USD.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def page() -> str:
    """The document as YAML."""
    return yaml.safe_dump(document(), sort_keys=False, width=116, allow_unicode=True)


def _operation(one: Operation) -> dict[str, Any]:
    content = {"schema": _ref(one.result)} if one.result is not None else {"schema": {"type": "string"}}
    made: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Needs the scope `{one.scope.value}`.",
        "parameters": [_in_path(name) for name in _IN_PATH.findall(one.path)] + [_in_query(n) for n in one.parameters],
        "responses": {
            str(one.status): {"description": one.summary, "content": {one.media_type: content}},
            **{str(status): _refusal(status) for status in sorted({*_ALWAYS, *one.refusals})},
        },
    }
    if one.method == "POST":
        made["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref(messages.ExportRequest)}}}
    return made


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "uuid"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str) -> dict[str, Any]:
    description, schema = _PARAMETERS[name]
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _refusal(status: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": f"{_MEANING[status]} Code: `{_CODES[status]}`.",
        "content": {_JSON: {"schema": _ref(messages.ErrorResponse)}},
    }
    header = {503: "Retry-After", 401: "WWW-Authenticate"}.get(status)
    if header is not None:
        made["headers"] = {header: {"description": "See RFC 9110.", "schema": {"type": "string"}}}
    return made


def _schemas() -> dict[str, Any]:
    kinds = [one.result for one in OPERATIONS if one.result is not None]
    _, found = msgspec.json.schema_components(
        [*kinds, messages.ExportRequest, messages.ErrorResponse], ref_template=_REF
    )
    found["ExportRequest"]["properties"]["tenant"] |= {"pattern": f"^{SLUG}$"}
    for schema in found.values():
        if "description" in schema:
            schema["description"] = " ".join(schema["description"].split())
    return dict(found)


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def codes() -> frozenset[str]:
    """Every code that the API's own refusals have: a test compares them with those that are described."""
    return frozenset(one.code for one in errors.ApiError.__subclasses__())
