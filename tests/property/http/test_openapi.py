"""The query API keeps its OpenAPI description, for requests that follow it and for requests that break it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError, validators
from roggia.reference import openapi
from roggia_embedder.query import api
from roggia_runtime import findings
from schemathesis import GenerationMode

from tests.support.http_apps import client, query_app

DOCUMENT = openapi.document()
API = schemathesis.openapi.from_dict(DOCUMENT)
LINES = "application/x-ndjson"
QUESTIONS = (api.SEARCH_PATH, api.ASK_PATH)
QUESTION = {"tenant": "acme", "domain": "docs", "query": "signing keys"}
BEYOND = (
    "holds no letter or digit",
    "is of another tenant or domain than asked for",
    "name the tenant too",
    "of this verifier",
    "does not follow the log",
)
"""Refusals by rules that the schemas do not tell: they concern several fields, kinds of characters, what is there."""


def _pattern(_: Any, pattern: str, text: object, __: Any) -> Iterator[ValidationError]:
    """JSON Schema's `$` is the end of the text, Python's may stand before a line feed."""
    if isinstance(text, str) and not re.search(pattern.replace("$", r"\Z"), text):
        yield ValidationError(f"{text!r} does not match {pattern}")


Exact = validators.extend(
    Draft202012Validator,
    {"pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)
"""The server takes no 5.0 for an integer; JSON Schema would."""


def misfit(path: str, method: str, status: int, kind: str, content: bytes) -> str:
    """What the description does not allow about an answer; empty when it fits."""
    described = DOCUMENT["paths"][path][method.lower()]["responses"].get(str(status))
    if described is None or kind not in described["content"]:
        return f"{status} {kind} is not described"
    found = [json.loads(line) for line in content.splitlines()] if kind == LINES else json.loads(content)
    schema = {**described["content"][kind]["schema"], "components": DOCUMENT["components"]}
    return "; ".join(error.message for error in Draft202012Validator(schema).iter_errors(found))


def follows(path: str, method: str, content: bytes) -> bool:
    """Whether a request's body is what the description asks for."""
    described = DOCUMENT["paths"][path][method.lower()].get("requestBody")
    if described is None or (not content and not described["required"]):
        return True
    try:
        body = json.loads(content)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    schema = {**described["content"]["application/json"]["schema"], "components": DOCUMENT["components"]}
    return bool(Exact(schema).is_valid(body))


def refused(status: int, content: bytes) -> bool:
    """Whether an answer says that the request breaks a rule that the schemas tell."""
    return status == 400 and not any(words in json.loads(content)["error"]["message"] for words in BEYOND)


CASES = [(path, mode) for path in DOCUMENT["paths"] for mode in GenerationMode]
CASES = [(path, mode) for path, mode in CASES if mode is GenerationMode.POSITIVE or "post" in DOCUMENT["paths"][path]]


@pytest.mark.parametrize(("path", "mode"), CASES, ids=str)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_every_answer_is_described(path: str, mode: GenerationMode, data: st.DataObject) -> None:
    """No failure but a described 503; a refusal has the one shape; what is answered has its schema. What follows the
    description is not refused for it, what breaks it is."""
    (method,) = DOCUMENT["paths"][path]
    case: Any = data.draw(API[path][method.upper()].as_strategy(generation_mode=mode))
    if path in QUESTIONS and isinstance(case.body, dict) and data.draw(st.booleans()):
        case.body |= {"tenant": "acme", "domain": "docs"}
    sent = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
    async with query_app() as app, client(app) as http:
        reply = await http.request(method.upper(), path, content=sent.body or b"", headers=dict(sent.headers))
    assert reply.status_code != 500
    if follows(path, method, sent.body or b""):
        assert not refused(reply.status_code, reply.content)
    else:
        assert reply.status_code >= 400
    assert not misfit(path, method, reply.status_code, reply.headers["content-type"], reply.content)


def edges(rule: dict[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Values at each limit that a schema sets, and one beyond it: each with whether it fits."""
    if "minimum" in rule:
        low, high = rule["minimum"], rule["maximum"]
        yield from ((low, True), (low - 1, False), (high, True), (high + 1, False))
    if "pattern" in rule:
        yield "No Name", False
    if "maxLength" in rule:
        low, high = rule.get("minLength", 0), rule["maxLength"]
        yield from (("a" * size, low <= size <= high) for size in (low - 1, low, high, high + 1) if size >= 0)
    if "maxItems" in rule:
        yield from ((["a"] * size, size <= rule["maxItems"]) for size in (rule["maxItems"], rule["maxItems"] + 1))
        yield from (([value], fits) for value, fits in edges(rule["items"]))
    if "maxProperties" in rule:
        most = rule["maxProperties"]
        yield from (({str(n): "a" for n in range(size)}, size <= most) for size in (most, most + 1))
        yield from (({name: "a"}, fits) for name, fits in edges(rule["propertyNames"]))
        yield from (({"a": value}, fits) for value, fits in edges(rule["additionalProperties"]))
    for other in rule.get("anyOf", ()):
        yield from edges(other)


@pytest.mark.parametrize(
    ("path", "kind"),
    [(api.SEARCH_PATH, "SearchRequest"), (api.ASK_PATH, "Filters"), (findings.VERIFY_PATH, "VerifyRequest")],
)
async def test_limits_are_where_the_description_says(path: str, kind: str) -> None:
    """A value at a limit is taken, the next one refused with the name of its field."""
    asked, tried = ({} if kind == "VerifyRequest" else dict(QUESTION)), 0
    async with query_app() as app, client(app) as http:
        for field, rule in DOCUMENT["components"]["schemas"][kind]["properties"].items():
            for value, fits in edges(rule):
                body = asked | ({"filters": {field: value}} if kind == "Filters" else {field: value})
                reply = await http.post(path, json=body)
                says = json.loads(reply.content)["error"] if reply.status_code == 400 else {"code": "", "field": ""}
                assert (says["code"] == "invalid_request") is not fits, (field, str(value)[:80], says)
                assert fits or says["field"].endswith(field)
                tried += 1
    assert tried >= 5
