"""The models behind the port: the bundled one with its real weights, and a server with OpenAI's embeddings API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import SecretStr
from roggia_embedder.adapters.models.openai_http import OpenAiModel
from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel, bundled_path
from roggia_embedder.errors import ChunkTooLongError, EmbedderError, ModelLoadError, ModelUnavailableError

WINDOW = 512


@pytest.fixture(scope="module")
def bundled() -> SentenceTransformerModel:
    """The default model, loaded once."""
    return SentenceTransformerModel(bundled_path(), name=BUNDLED, window=WINDOW, batch_tokens=64, threads=1)


def test_rows_are_unit_vectors_in_the_order_of_the_texts(bundled: SentenceTransformerModel) -> None:
    """Batches are sorted by length inside; what comes out is in the caller's order, alone or together alike."""
    texts = ["word " * 90, "a river", "the mill by the river turns", "tax law", "a stream of water"]
    rows = bundled.encode(texts)
    assert (rows.dtype, rows.shape, rows.flags["C_CONTIGUOUS"]) == (np.float32, (5, 384), True)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    for row, text in zip(rows, texts, strict=True):
        np.testing.assert_allclose(row, bundled.encode([text])[0], atol=1e-5)
    assert rows[1] @ rows[4] > rows[1] @ rows[3]


def test_what_fits_the_window_counts_and_what_does_not_is_refused(bundled: SentenceTransformerModel) -> None:
    """Words beyond token 256, the model's own default, still move the vector; one token beyond 512 is an error."""
    base = "river " * 400
    assert abs(float((bundled.encode([base + "river"]) @ bundled.encode([base + "tax"]).T)[0, 0]) - 1) > 1e-6
    assert bundled.count_tokens(["river " * 510]) == [WINDOW]
    bundled.encode(["river " * 510])
    with pytest.raises(ChunkTooLongError) as caught:
        bundled.encode(["short", "river " * 511])
    assert caught.value.tokens == WINDOW + 1


def test_the_fingerprint_tells_window_and_prefixes_apart(bundled: SentenceTransformerModel) -> None:
    """Everything that changes vectors changes the fingerprint."""
    prefixed = SentenceTransformerModel(bundled_path(), name=BUNDLED, window=WINDOW, prefixes=("p: ", "q: "))
    assert len({bundled.fingerprint, prefixed.fingerprint}) == 2
    assert "dim=384" in bundled.fingerprint
    with pytest.raises(ModelLoadError, match="512"):
        SentenceTransformerModel(bundled_path(), name=BUNDLED, window=513).warm_up()


ODD = {"zeros": [0.0, 0.0], "nan": [float("nan"), 1.0], "ragged": "no numbers"}


class Answer(BaseHTTPRequestHandler):
    """Embeddings of two numbers, out of order; what else is asked for goes by the model's name."""

    asked: ClassVar[list[tuple[dict[str, Any], str | None]]] = []

    def do_POST(self) -> None:
        """Answer one request."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append((body, self.headers.get("authorization")))
        rows = [{"index": n, "embedding": [3.0, 4.0 + n]} for n in range(len(body["input"]))]
        status = {"busy": 503, "long": 413, "wrong": 401}.get(body["model"], 200)
        for row in rows if body["model"] in ODD else []:
            row["embedding"] = ODD[body["model"]]
        payload = json.dumps({"data": rows[::-1]}).encode()
        if body["model"] == "other":
            payload = b'{"vectors": []}'
        self.send_response(status)
        self.send_header("content-length", str(len(payload) + (body["model"] == "cut")))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """A server on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def remote(url: str, name: str = "m", dimension: int = 2) -> OpenAiModel:
    """A model of that server."""
    return OpenAiModel(url, name=name, revision="r", window=64, dimension=dimension, key=SecretStr("k"), timeout_s=5)


def test_a_server_is_asked_once_and_its_rows_are_put_in_order(url: str) -> None:
    """One request for a batch, with the key; rows by their index, of length 1."""
    Answer.asked.clear()
    rows = remote(url).encode(["one", "two"])
    np.testing.assert_allclose(rows, [[0.6, 0.8], [3 / 34**0.5, 5 / 34**0.5]], atol=1e-6)
    ((body, key),) = Answer.asked
    assert (body["input"], body["model"], key) == (["one", "two"], "m", "Bearer k")


@pytest.mark.parametrize(
    ("name", "error"), [("busy", ModelUnavailableError), ("long", ChunkTooLongError), ("wrong", EmbedderError)]
)
def test_refusals_of_a_server_are_told_apart(url: str, name: str, error: type[Exception]) -> None:
    """Busy is waited for, too long is the text's fault, anything else stops the service."""
    with pytest.raises(error) as caught:
        remote(url, name).encode(["one"])
    assert isinstance(caught.value, ModelUnavailableError) == (name == "busy")


def test_a_server_that_is_down_or_has_another_dimension(url: str) -> None:
    """No answer is unavailable; vectors of another size are an error that names both sizes."""
    with pytest.raises(EmbedderError, match=r"\(1, 2\).*1 x 3"):
        remote(url, dimension=3).encode(["one"])
    with pytest.raises(ModelUnavailableError):
        remote("http://127.0.0.1:9/v1").encode(["one"])


@pytest.mark.parametrize("name", [*ODD, "other"])
def test_an_answer_that_holds_no_vectors_is_refused_before_it_is_cached(url: str, name: str) -> None:
    """Zeros and NaN have no direction, and another form is another server: said in words, not remembered."""
    with pytest.raises(EmbedderError, match=r"gave a vector|not of OpenAI's form") as caught:
        remote(url, name).encode(["one"])
    assert not isinstance(caught.value, ModelUnavailableError)


def test_an_answer_that_is_cut_off_is_tried_again(url: str) -> None:
    """A server that goes down in the middle of an answer is down, no more."""
    with pytest.raises(ModelUnavailableError):
        remote(url, "cut").encode(["one"])
