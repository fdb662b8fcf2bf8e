"""What a request must look like before any step trusts it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from roggia_embedder.query import api, validate
from roggia_embedder.query.errors import BadRequestError, BodyTooLargeError

GOOD: dict[str, Any] = {"tenant": "acme", "domain": "docs", "query": "how do I rotate keys"}


def body(**changes: Any) -> bytes:
    """A good request with some fields changed, as JSON."""
    return json.dumps({**GOOD, **changes}).encode()


def test_defaults_are_the_safe_ones() -> None:
    """A bare request asks for ten hybrid results, sees only what is open to the whole tenant, and filters nothing."""
    request = validate.parse(body())
    assert (request.k, request.mode, request.groups) == (10, api.Mode.HYBRID, ())
    assert request.filters == api.Filters()


def test_query_is_normalised_as_the_index_is() -> None:
    """A decomposed accent in the query becomes the composed one that the index holds; outer spaces go."""
    assert validate.parse(body(query="  cafe\u0301 ")).query == "caf\u00e9"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tenant": "Acme"}, "tenant"),
        ({"tenant": ""}, "tenant"),
        ({"tenant": "a_b"}, "tenant"),
        ({"tenant": 7}, "tenant"),
        ({"domain": "a/b"}, "domain"),
        ({"domain": "x" * 64}, "domain"),
        ({"query": ""}, "query"),
        ({"query": " ?! "}, "query"),
        ({"query": "a" * 8193}, "query"),
        ({"query": None}, "query"),
        ({"k": 0}, "k"),
        ({"k": 101}, "k"),
        ({"generation": 0}, "generation"),
        ({"generation": 2**31}, "generation"),
        ({"generation": "2"}, "generation"),
        ({"exact": 1}, "exact"),
        ({"k": -1}, "k"),
        ({"k": "10"}, "k"),
        ({"k": 1.5}, "k"),
        ({"mode": "magic"}, "mode"),
        ({"groups": "staff"}, "groups"),
        ({"groups": [""]}, "groups"),
        ({"groups": ["g" * 1025]}, "groups"),
        ({"groups": [f"g{i}" for i in range(1001)]}, "groups"),
        ({"groups": ["staff", 5]}, "groups"),
        ({"filters": []}, "filters"),
        ({"filters": {"lang": "en"}}, "filters.lang"),
        ({"filters": {"language": ""}}, "filters.language"),
        ({"filters": {"source": ""}}, "filters.source"),
        ({"filters": {"metadata": {"team": 5}}}, "filters.metadata"),
        ({"filters": {"metadata": {"": "x"}}}, "filters.metadata"),
        ({"filters": {"metadata": {f"k{i}": "v" for i in range(17)}}}, "filters.metadata"),
        ({"group": ["staff"]}, "group"),
    ],
)
def test_refusal_names_the_field(changes: dict[str, Any], field: str) -> None:
    """Every broken rule is refused with the field that broke it, in the error and in its message."""
    with pytest.raises(BadRequestError) as caught:
        validate.parse(body(**changes))
    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field}: ")
    assert caught.value.status == 400


@pytest.mark.parametrize("missing", ["tenant", "domain", "query"])
def test_missing_field_is_named(missing: str) -> None:
    """A required field that is absent is named."""
    content = {name: value for name, value in GOOD.items() if name != missing}
    with pytest.raises(BadRequestError) as caught:
        validate.parse(json.dumps(content).encode())
    assert caught.value.field == missing


@pytest.mark.parametrize(
    "raw", [b"", b"nope", b"[]", b'"text"', b"\xff\xfe", b'{"tenant":"\xff"}', b'{"tenant":"\\ud800"}']
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    """Bytes that are no JSON object in UTF-8 are a bad request about the body or its field, never a crash."""
    with pytest.raises(BadRequestError) as caught:
        validate.parse(raw)
    assert caught.value.field in {"body", "tenant"}


def test_large_body_is_refused_before_it_is_parsed() -> None:
    """A body over the limit is refused for its size, with both numbers."""
    with pytest.raises(BodyTooLargeError, match="65537 bytes; send at most 65536"):
        validate.parse(b" " * (api.MAX_BODY_BYTES + 1))


def test_request_survives_the_wire() -> None:
    """A client's request means the same after encoding and parsing."""
    request = api.SearchRequest(
        tenant="acme",
        domain="docs",
        query="keys",
        groups=("staff", "ops"),
        k=3,
        mode=api.Mode.LEXICAL,
        filters=api.Filters(language="en", source="wiki", metadata={"team": "core", "empty": ""}),
    )
    assert validate.parse(api.encode(request)) == request
