"""The audit API keeps its OpenAPI description, for requests that follow it and for requests that break it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from roggia.reference import openapi_audit
from schemathesis import GenerationMode

from tests.support.audit_api import ACME, bearer, running
from tests.support.auditing import inference, reads

DOCUMENT = openapi_audit.document()
API = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


def misfit(path: str, method: str, status: int, kind: str, content: bytes) -> str:
    """What the description does not allow about an answer; empty when it fits."""
    described = DOCUMENT["paths"][path][method]["responses"].get(str(status))
    plain = kind.partition(";")[0]
    if described is None or plain not in described["content"]:
        return f"{status} {kind} is not described"
    if plain != "application/json":
        return ""
    schema = {**described["content"][plain]["schema"], "components": DOCUMENT["components"]}
    return "; ".join(error.message for error in Draft202012Validator(schema).iter_errors(json.loads(content)))


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=str)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_every_answer_is_described(
    path: str, method: str, mode: GenerationMode, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No failure; a refusal has the one shape; what is answered has its schema; acme's token, and none."""
    operation = API[path][method.upper()]
    try:
        case: Any = data.draw(operation.as_strategy(generation_mode=mode))
    except schemathesis.errors.InvalidSchema:  # nothing about this operation can be broken
        return
    if "event_id" in (case.path_parameters or {}) and data.draw(st.booleans()):
        case.path_parameters["event_id"] = inference(1).event_id
    sent = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1")).prepare()
    headers = dict(sent.headers) | (bearer(ACME) if data.draw(st.booleans()) else {})
    async with running(_folder(tmp_path_factory)) as api:
        await api.enter(reads(3, tenants=("acme", "beta")))
        await api.sealer.seal()
        reply = await api.client.request(method.upper(), str(sent.path_url), content=sent.body or b"", headers=headers)
    assert reply.status_code != 500, reply.text
    assert not misfit(path, method, reply.status_code, reply.headers["content-type"], reply.content), sent.path_url


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("api")


def test_every_code_is_described() -> None:
    """What the API refuses by has a status with that code in the description."""
    told = " ".join(openapi_audit._CODES.values())
    assert [code for code in openapi_audit.codes() if code not in told] == []
