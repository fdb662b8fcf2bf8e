"""The typed module that clients import."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from roggia_embedder.query import api


def test_clients_import_no_model_and_no_engine() -> None:
    """The wire types are usable where torch, Qdrant and numpy are not installed."""
    code = "import sys; import roggia_embedder.query.api; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "roggia_embedder.query.api" in loaded
    assert not {"torch", "sentence_transformers", "qdrant_edge", "qdrant_client", "numpy", "starlette"} & set(loaded)


def test_client_may_be_older_than_the_server() -> None:
    """A response with a field that this version does not know still parses: servers may add fields."""
    body = b'{"query_id":"q","generation":1,"collection":"c","model":"m","latency_ms":1.5,"results":[],"new":true}'
    assert api.decode(body, api.SearchResponse).latency_ms == 1.5


def test_server_refuses_fields_that_it_does_not_know() -> None:
    """A misspelt filter must not silently widen a search."""
    with pytest.raises(msgspec.ValidationError, match="langauge"):
        api.decode(b'{"tenant":"a","domain":"b","query":"q","filters":{"langauge":"en"}}', api.SearchRequest)
