"""Any server with OpenAI's `/v1/embeddings`: TEI, vLLM, Infinity, Ollama, or a hosted one."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import SecretStr

from roggia_embedder.embedding.fingerprint import Fingerprint
from roggia_embedder.errors import ChunkTooLongError, EmbedderError, ModelUnavailableError
from roggia_embedder.ports import Matrix, TextKind

_TOO_LONG = 413
_BAD_REQUEST = 400
_SERVER_ERRORS = 500
_BUSY = (408, 425, 429)


class OpenAiModel:
    """A remote model. Calls block, like those of a local one: callers run them in a thread.

    The server's weights cannot be hashed from here: `revision` stands for them in the fingerprint, and whoever changes
    the weights behind the URL must change it. The server must refuse texts beyond its window (TEI: without
    `--auto-truncate`). Token counts are not known here: `count_tokens` answers upper bounds, one token per byte.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        revision: str,
        window: int,
        dimension: int,
        key: SecretStr | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        self._url = url.rstrip("/") + "/embeddings"
        self._name = name
        self._window = window
        self._dimension = dimension
        self._key = key
        self._timeout_s = timeout_s
        self._fingerprint = str(Fingerprint(name, revision, window, "server", True, "", "", dimension, "openai"))
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """See `EmbeddingModel`."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """See `EmbeddingModel`."""
        return self._dimension

    @property
    def window(self) -> int:
        """See `EmbeddingModel`."""
        return self._window

    def warm_up(self) -> None:
        """Encode once. Raises `ModelUnavailableError`."""
        self.encode(["warm up"])

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:  # noqa: ARG002
        """Upper bounds: no tokenizer makes more than one token of a byte."""
        return [len(text.encode()) for text in texts]

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:  # noqa: ARG002
        """See `EmbeddingModel`. Raises `ModelUnavailableError` when the server is down or busy."""
        if not texts:
            return np.empty((0, self._dimension), np.float32)
        with self._lock:
            answer = self._post({"model": self._name, "input": list(texts), "encoding_format": "float"})
        rows = self._rows(answer)
        if rows.shape != (len(texts), self._dimension):
            raise EmbedderError(
                f"{self._url}: gave vectors of shape {rows.shape}, not {len(texts)} x {self._dimension}"
            )
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise EmbedderError(f"{self._url}: gave a vector without a direction (zeros, infinite or not a number)")
        unit: Matrix = rows / lengths
        return unit

    def _rows(self, answer: Any) -> Matrix:
        try:
            return np.array([item["embedding"] for item in sorted(answer["data"], key=_index)], np.float32)
        except (LookupError, TypeError, ValueError) as error:
            raise EmbedderError(f"{self._url}: the answer is not of OpenAI's form: {error!r}") from error

    def _post(self, body: dict[str, Any]) -> Any:
        headers = {"content-type": "application/json"}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key.get_secret_value()}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)  # noqa: S310  # checked setting
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # down, cut off, or no JSON
            raise ModelUnavailableError(f"{self._url}: {error}") from error

    def _refusal(self, error: urllib.error.HTTPError) -> EmbedderError:
        words = error.read(512).decode("utf-8", "replace")
        if error.code == _TOO_LONG or (error.code == _BAD_REQUEST and "token" in words.lower()):
            return ChunkTooLongError(0, self._window)
        if error.code >= _SERVER_ERRORS or error.code in _BUSY:
            return ModelUnavailableError(f"{self._url}: HTTP {error.code}: {words}")
        return EmbedderError(f"{self._url}: HTTP {error.code}: {words}")


def _index(item: dict[str, Any]) -> int:
    return int(item["index"])
