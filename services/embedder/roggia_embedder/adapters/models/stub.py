"""A stand-in for a model: vectors from a hash of the words. For tests and for measuring everything but the model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from roggia_embedder.embedding.fingerprint import Fingerprint
from roggia_embedder.errors import ChunkTooLongError
from roggia_embedder.ports import Matrix, TextKind


class StubModel:
    """Sums a pseudo-random direction per distinct word: texts that share words are near. It knows no meaning.

    A token is a word between spaces. Named `stub` in its fingerprint, so that its vectors can be mistaken for no
    model's. Another `seed` is another model: same dimension, other directions, another fingerprint.
    """

    def __init__(self, dimension: int = 384, window: int = 8192, seed: str = "") -> None:
        self._dimension = dimension
        self._window = window
        self._seed = seed
        self._weights = hashlib.sha256(seed.encode()).hexdigest()[:16] if seed else "0" * 16

    @property
    def fingerprint(self) -> str:
        """See `EmbeddingModel`."""
        return str(Fingerprint("stub", self._weights, self._window, "sum", True, "", "", self._dimension, "numpy"))

    @property
    def dimension(self) -> int:
        """See `EmbeddingModel`."""
        return self._dimension

    @property
    def window(self) -> int:
        """See `EmbeddingModel`."""
        return self._window

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:  # noqa: ARG002  # both kinds alike
        """See `EmbeddingModel`."""
        rows = np.empty((len(texts), self._dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = text.split()
            if len(words) > self._window:
                raise ChunkTooLongError(len(words), self._window)
            row[:] = self._vector(words)
        return rows

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:  # noqa: ARG002
        """See `EmbeddingModel`."""
        return [len(text.split()) for text in texts]

    def warm_up(self) -> None:
        """Nothing to load."""

    def _vector(self, words: Sequence[str]) -> NDArray[np.float32]:
        distinct = sorted({word.lower() for word in words} or {""})
        total: NDArray[np.float32] = np.sum([self._direction(word) for word in distinct], axis=0)
        return total / max(float(np.sqrt(total.dot(total))), 1e-9)

    def _direction(self, word: str) -> NDArray[np.float32]:
        return _direction(f"{self._seed}\0{word}" if self._seed else word, self._dimension)


@lru_cache(maxsize=65_536)
def _direction(word: str, dimension: int) -> NDArray[np.float32]:
    drawn = np.frombuffer(hashlib.shake_128(word.encode()).digest(dimension), np.int8)
    return drawn.astype(np.float32) + np.float32(0.5)
