"""Models behind a server that becomes another model: none of its vectors is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from roggia_embedder.adapters.models.openai_http import OpenAiModel
from roggia_embedder.adapters.models.remote import Shape
from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.embedding.vectors import Supplied, VectorSupply, Wanted
from roggia_embedder.errors import (
    ChunkTooLongError,
    ModelChangedError,
)
from roggia_schemas.names import Version

from tests.support.embedding import MemoryCache
from tests.support.model_server import WINDOW, Fault, ModelServer
from tests.support.remote_models import DIMENSION, KINDS, TEXTS, model_at, rows_of


@pytest.mark.parametrize("kind", KINDS)
def test_other_weights_behind_the_same_name_are_noticed(server: ModelServer, kind: str) -> None:
    """The server says the same name and dimension, and its vectors are of another model: none of them is returned."""
    model = model_at(server, kind)
    model.encode(TEXTS)
    server.model = StubModel(DIMENSION, WINDOW, seed=1)
    with pytest.raises(ModelChangedError, match="cosine"):
        model.encode(TEXTS)


def test_another_name_in_the_answer_is_noticed(server: ModelServer) -> None:
    """OpenAI's `model` is not compared with what was asked for, which is an alias, but with what it was."""
    model = model_at(server, "openai")
    model.encode(["one"])
    server.echo = "stub-2"
    with pytest.raises(ModelChangedError, match="it was stub, now it is stub-2"):
        model.encode(["one"])


@pytest.mark.parametrize(("part", "value"), [("model_sha", "b" * 40), ("model_dtype", "float16"), ("model_id", "x")])
def test_tei_says_when_its_weights_change(server: ModelServer, part: str, value: str) -> None:
    """`/info` is read again after the answers: a server that was restarted in between is refused."""
    model = model_at(server, "tei")
    model.encode(["one"])
    server.info = server.info | {part: value}
    with pytest.raises(ModelChangedError, match=value):
        model.encode(["one"])
    assert model.fingerprint != model_at(server, "tei").fingerprint


def test_a_change_while_the_process_was_down_is_noticed(server: ModelServer, tmp_path: Path) -> None:
    """What the server answered first is kept; a new revision begins anew."""
    model_at(server, "openai", folder=tmp_path).encode(["one"])
    server.model = StubModel(DIMENSION, WINDOW, seed=1)
    with pytest.raises(ModelChangedError):
        model_at(server, "openai", folder=tmp_path).encode(["one"])
    shape = Shape(WINDOW, DIMENSION)
    OpenAiModel(f"{server.url}/v1", name="stub", revision="r2", shape=shape, folder=tmp_path).encode(["one"])


async def test_nothing_of_a_changed_model_reaches_the_cache(server: ModelServer) -> None:
    """The first batch after the change ends in an error; the cache holds vectors of the first model alone."""
    cache = MemoryCache()
    supply = VectorSupply(model_at(server, "openai"), cache)
    await supply.supply([_wanted("d1", "one text")])
    server.faults.append(Fault(change=_then(server, StubModel(DIMENSION, WINDOW, seed=1))))
    await supply.supply([_wanted("d2", "second text")])
    with pytest.raises(ModelChangedError):
        await supply.supply([_wanted("d3", "third text")])
    assert len(cache.vectors) == 2
    np.testing.assert_allclose(
        cache.vectors["t", supply._model.fingerprint, "second text"], rows_of(["second text"])[0]
    )


async def test_a_long_text_costs_its_document_alone(server: ModelServer) -> None:
    """The server does not count, and texts of more bytes than the window has tokens are not suspected for it."""
    supply = VectorSupply(model_at(server, "openai"), MemoryCache())
    fits = "a text of more than sixty-four bytes, which has far fewer tokens than that"
    kept, refused = await supply.supply([_wanted("d1", fits), _wanted("d2", "long " * (WINDOW + 1))])
    assert isinstance(kept, Supplied)
    assert isinstance(refused, ChunkTooLongError)


def _wanted(doc_id: str, text: str) -> Wanted:
    return Wanted("t", doc_id, Version(1, 0), {text: text})


def _then(server: ModelServer, model: StubModel) -> Any:
    """Answer as ever, and be another model from the next answer on."""

    def changed(answer: Any) -> Any:
        server.model = model
        return answer

    return changed


def test_numbers_that_tremble_are_the_same_model(server: ModelServer) -> None:
    """Batches of other sizes give other last digits: that is no change."""
    server.noise = 0.003
    model = model_at(server, "openai")
    for _ in range(20):
        model.encode(TEXTS[:3])
