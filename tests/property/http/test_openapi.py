"""The query API keeps its OpenAPI description, for requests that follow it and for requests that break it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from roggia.reference import openapi
from roggia_embedder.query import api
from schemathesis import GenerationMode

from tests.support.http_apps import client, query_app

DOCUMENT = openapi.document()
API = schemathesis.openapi.from_dict(DOCUMENT)
LINES = "application/x-ndjson"
QUESTIONS = (api.SEARCH_PATH, api.ASK_PATH)


def misfit(path: str, method: str, status: int, kind: str, content: bytes) -> str:
    """What the description does not allow about an answer; empty when it fits."""
    described = DOCUMENT["paths"][path][method.lower()]["responses"].get(str(status))
    if described is None or kind not in described["content"]:
        return f"{status} {kind} is not described"
    found = [json.loads(line) for line in content.splitlines()] if kind == LINES else json.loads(content)
    schema = {**described["content"][kind]["schema"], "components": DOCUMENT["components"]}
    return "; ".join(error.message for error in Draft202012Validator(schema).iter_errors(found))


CASES = [(path, mode) for path in DOCUMENT["paths"] for mode in GenerationMode]
CASES = [(path, mode) for path, mode in CASES if mode is GenerationMode.POSITIVE or "post" in DOCUMENT["paths"][path]]


@pytest.mark.parametrize(("path", "mode"), CASES, ids=str)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_every_answer_is_described(path: str, mode: GenerationMode, data: st.DataObject) -> None:
    """No failure but a described 503; a refusal has the one shape; what is answered has its schema."""
    (method,) = DOCUMENT["paths"][path]
    case: Any = data.draw(API[path][method.upper()].as_strategy(generation_mode=mode))
    if path in QUESTIONS and isinstance(case.body, dict) and data.draw(st.booleans()):
        case.body |= {"tenant": "acme", "domain": "docs"}
    sent = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
    async with query_app() as app, client(app) as http:
        reply = await http.request(method.upper(), path, content=sent.body or b"", headers=dict(sent.headers))
    assert reply.status_code != 500
    assert not misfit(path, method, reply.status_code, reply.headers["content-type"], reply.content)
