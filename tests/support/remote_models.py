"""Models of a test's model server, and what they should answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roggia_embedder.adapters.models.openai_http import OpenAiModel
from roggia_embedder.adapters.models.remote import RemoteModel, Shape
from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.adapters.models.tei_http import TeiModel
from roggia_embedder.remote import RemoteTerms

from tests.support.model_server import WINDOW, ModelServer

DIMENSION = 8
TEXTS = [f"text {n} about mill {n % 7}" for n in range(100)]
SOON = RemoteTerms(patience_s=5.0, query_patience_s=0.3)
AT_ONCE = RemoteTerms(patience_s=0.0, query_patience_s=0.0)
KINDS = ["openai", "tei"]


def model_at(server: ModelServer, kind: str, terms: RemoteTerms = SOON, **options: Any) -> RemoteModel:
    """A model of that server."""
    shape = options.pop("shape", Shape(WINDOW, DIMENSION))
    if kind == "tei":
        return TeiModel(server.url, shape=shape, terms=terms, **options)
    return OpenAiModel(f"{server.url}/v1", name="stub", revision="r", shape=shape, terms=terms, **options)


def rows_of(texts: Sequence[str], seed: int = 0) -> Any:
    """What the server's model says about texts."""
    return StubModel(DIMENSION, WINDOW, seed=seed).encode(texts)
