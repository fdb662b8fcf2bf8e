"""Bytes that no schema describes, at every HTTP application: each is answered or refused in its own shape, never with a
failure. What an application raises reaches the test."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.http_apps import client, console_app, query_app, registry_app

DIGITS = "9" * 5_000
BODIES = [
    b"", b"\xff", b"\xef\xbb\xbf{}", b"null", b"[" * 60_000, b'{"tenant":"\xff"}', b'{"tenant":"\\ud800"}',
    b'{"tenant":"acme","tenant":"b"}', b'{"k":' + DIGITS.encode() + b"}", b'{"points_per_s":1e999}',
    b'{"filters":' + b'{"metadata":' * 5_000, b'{"doc_ids":' + b"[" * 60_000, b'{"compatibility":"\\ud800"}',
    b'{"schema":"\\"\\ud800\\""}', b'{"schemaType":["\\ud800"],"schema":"x"}', b"x" * (5 << 20),
]  # fmt: skip
SCHEMAS = [
    '"\\ud800"', '{"type":"record","name":"A","fields":[],"doc":"\\ud800"}', "[[]]", "[" * 5_000, "NaN", "1",
    '{"type":"enum","name":"E","symbols":[[]]}', '{"type":"fixed","name":"F","size":1e999}', '{"type":"map"}',
    '{"type":"array","items":' * 2_000, '{"type":"record","name":["R"],"fields":{}}', '{"type":{"type":{}}}',
]  # fmt: skip
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["record", "enum"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "name", "fields", "symbols", "items", "aliases", "size"]), inner)
    ),
    max_leaves=8,
)


def refused(reply: httpx.Response) -> bool:
    """Whether a refusal of the query role has its documented shape."""
    error = reply.json()["error"]
    return set(error) == {"code", "message", "field"} and len(error["message"]) > 10


@pytest.mark.parametrize("path", ["/v1/search", "/v1/ask", "/v1/verify"])
async def test_query_takes_any_body(path: str) -> None:
    """Each body is refused with code, message and field."""
    async with query_app() as app, client(app) as http:
        for body in BODIES:
            for kind in ("application/json", "text/\xff", "application/x-www-form-urlencoded"):
                reply = await http.post(path, content=body, headers={"content-type": kind.encode("latin-1")})
                assert reply.status_code == 200 or (400 <= reply.status_code < 500 and refused(reply))


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT", "BREW"])
async def test_methods_that_are_not_served(method: str) -> None:
    """They are refused, and no redirect is made of a client's words."""
    async with query_app() as app, client(app) as http:
        for path in ("/v1/search", "/v1/verify", "/v1/", "/v1/search/"):
            reply = await http.request(method, path)
            assert reply.status_code in (404, 405)
            assert refused(reply)


@pytest.mark.parametrize("body", BODIES)
async def test_registry_takes_any_body(tmp_path: Path, body: bytes) -> None:
    """Each is refused with an error code and a message."""
    async with registry_app(tmp_path) as app, client(app) as http:
        for method, path in (("POST", "/subjects/a/versions"), ("POST", "/subjects/a"), ("PUT", "/config")):
            reply = await http.request(method, path, content=body)
            assert 400 <= reply.status_code < 500
            assert set(reply.json()) == {"error_code", "message"}


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_registry_refuses_what_is_no_schema(tmp_path: Path, schema: str) -> None:
    """Half a surrogate pair, depth, and members of the wrong kind are 422."""
    async with registry_app(tmp_path) as app, client(app) as http:
        reply = await http.post("/subjects/a/versions", content=json.dumps({"schema": schema}))
        assert (reply.status_code, reply.json()["error_code"]) == (422, 42201)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schema=_json)
async def test_registry_bears_nearly_schemas(tmp_path: Path, schema: object) -> None:
    """Whatever JSON stands where the schema should, it is checked or refused."""
    async with registry_app(tmp_path) as app, client(app) as http:
        body = json.dumps({"schema": json.dumps(schema)})
        reply = await http.post("/compatibility/subjects/known/versions", content=body)
        assert reply.status_code in (200, 422)


@pytest.mark.parametrize("number", [DIGITS, "-1x", "%D9%A1", "%00", "1e3", "99999999999999999999"])
async def test_registry_takes_any_number(tmp_path: Path, number: str) -> None:
    """Numbers in paths that are none, or that no schema can have, are not found."""
    async with registry_app(tmp_path) as app, client(app) as http:
        for path in (f"/schemas/ids/{number}", f"/subjects/known/versions/{number}"):
            assert (await http.get(path)).status_code in (404, 422)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil", "[", "localhost:[", "localhost:x", "", "a@localhost"]
)
async def test_other_hosts_are_refused(tmp_path: Path, host: str) -> None:
    """A page that rebinds its name reads neither texts, schemas nor the console; health answers under any name."""
    async with query_app() as query, console_app(tmp_path) as console, registry_app(tmp_path) as registry:
        served = ((query, "/v1/collections"), (query, "/metrics"), (console, "/"), (registry, "/subjects"))
        for app, path in served:
            async with client(app) as http:
                assert (await http.get(path, headers={"host": host})).status_code == 421
        async with client(query) as http:
            assert (await http.get("/health/live", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fapp.py", "/static/%00", "/static/" + "a" * 5_000,
     "/static//etc/passwd", "/static/%2Fetc%2Fpasswd", "/topics/..%2f", "/topics/%ff", "/topics/", "/jobs/%F0%9F",
     "/dead-letters/x/%00", "/dead-letters/a/b/c"],
)  # fmt: skip
async def test_console_paths(tmp_path: Path, path: str) -> None:
    """Nothing outside the static folder is served; paths that are none are refused as a page."""
    async with console_app(tmp_path) as app, client(app) as http:
        reply = await http.get(path)
        assert reply.status_code in (400, 404)
        assert "<h1>" in reply.text


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"token=%ff", b"a=1&" * 100_000, b"token=" + b"x" * 300_000, b"token=%ED%A0%80", b"%00=%00"]
)
async def test_console_forms_and_cookies(tmp_path: Path, body: bytes) -> None:
    """Form bombs and cookies of any kind open no session."""
    cookies = [b"", b"=", b"roggia_console=\xe9", b"roggia_console=.", b"roggia_console=" + DIGITS.encode() + b".x"]
    async with console_app(tmp_path) as app, client(app) as http:
        for cookie in cookies:
            for path in ("/session", "/plan/replay", "/start/replay"):
                reply = await http.post(path, content=body, headers={"cookie": cookie})
                assert reply.status_code in (400, 403)
