"""What every embedding model owes to its callers, whatever computes it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from roggia_embedder.errors import ChunkTooLongError
from roggia_embedder.generations.loading import load
from roggia_embedder.generations.reference import ModelRef, resolved
from roggia_embedder.ports import EmbeddingModel
from roggia_embedder.settings import EmbedderOptions
from roggia_runtime.settings import load as settings

from tests.support.model_server import WINDOW, model_server

KINDS = ["stub", "bundled", "openai", "tei"]
TEXTS = ["a river", "the mill by the river turns", "tax law", "word " * 50, "", "a river"]


@pytest.fixture(scope="module", params=KINDS)
def reference(request: pytest.FixtureRequest) -> Iterator[ModelRef]:
    """One model of each kind, on a server of this process where it needs one."""
    prefixes = {"passage_prefix": "passage: ", "query_prefix": "query: "}
    if request.param == "stub":
        yield ModelRef("stub:3", dimension=8, window=WINDOW, **prefixes)
    elif request.param == "bundled":
        yield ModelRef("bundled:all-MiniLM-L6-v2", window=WINDOW, **prefixes)
    else:
        with model_server() as server:
            uri = f"{server.url}/v1" if request.param == "openai" else f"tei+{server.url}"
            yield ModelRef(uri, "m", "1", dimension=8, window=WINDOW, **prefixes)


@pytest.fixture
def model(reference: ModelRef, tmp_path: Path) -> EmbeddingModel:
    """Loaded from its reference."""
    return load(reference, _options(tmp_path))


def _options(folder: Path) -> EmbedderOptions:
    return settings(EmbedderOptions, model_folder=folder, threads=1)


def test_rows_are_unit_vectors_one_per_text_in_order(model: EmbeddingModel) -> None:
    """float32, contiguous, of length 1; equal texts have equal rows, together or alone; the empty text is one too."""
    rows = model.encode(TEXTS)
    assert (rows.dtype, rows.shape, rows.flags["C_CONTIGUOUS"]) == (np.float32, (6, model.dimension), True)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[0], rows[5], atol=1e-5)
    for row, text in zip(rows, TEXTS, strict=True):
        np.testing.assert_allclose(row, model.encode([text])[0], atol=1e-5)


def test_no_texts_are_no_rows(model: EmbeddingModel) -> None:
    """Of the right shape, and without asking anybody."""
    assert model.encode([]).shape == (0, model.dimension)
    assert model.count_tokens([]) == []


def test_passages_and_queries_have_their_own_prefix(model: EmbeddingModel) -> None:
    """The same text is another vector as a query; tokens of the prefix are counted with those of the text."""
    text = "the mill by the river"
    assert float(model.encode([text])[0] @ model.encode([text], "query")[0]) < 0.9999
    assert min(model.count_tokens([text])[0], model.count_tokens([text], "query")[0]) > len(text.split())


def test_a_text_beyond_the_window_is_refused_not_cut(model: EmbeddingModel) -> None:
    """Also among texts that fit; a count beyond the window is never given for a text that is too long by less."""
    with pytest.raises(ChunkTooLongError):
        model.encode(["short", "word " * (WINDOW + 1)])
    assert model.count_tokens(["word " * (WINDOW + 1)])[0] > WINDOW


def test_threads_may_call_at_the_same_time(model: EmbeddingModel) -> None:
    """Rows are those of each thread's own texts."""
    batches = [[f"thread {n} text {m}" for m in range(5)] for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(model.encode, batches))
    for rows, batch in zip(found, batches, strict=True):
        np.testing.assert_allclose(rows, model.encode(batch), atol=1e-5)


def test_the_fingerprint_names_it_for_good(reference: ModelRef, model: EmbeddingModel, tmp_path: Path) -> None:
    """Loaded again by what it said, it is the same; one line, with window and dimension in it."""
    full = resolved(reference, model)
    assert load(full, _options(tmp_path)).fingerprint == model.fingerprint
    assert f"window={WINDOW};" in model.fingerprint
    assert f"dim={model.dimension};" in model.fingerprint
    assert "\n" not in model.fingerprint
