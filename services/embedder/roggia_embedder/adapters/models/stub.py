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
    model's. Each `seed` is another model: of the same dimension, with other directions and another fingerprint.
    """

    def __init__(
        self, dimension: int = 384, window: int = 8192, *, seed: int = 0, prefixes: tuple[str, str] = ("", "")
    ) -> None:
        self._dimension = dimension
        self._window = window
        self._seed = seed
        self._prefix = {"passage": prefixes[0], "query": prefixes[1]}

    @property
    def fingerprint(self) -> str:
        """See `EmbeddingModel`."""
        prefixes = self._prefix["passage"], self._prefix["query"]
        weights = f"{self._seed:016d}"
        return str(Fingerprint("stub", weights, self._window, "sum", True, *prefixes, self._dimension, "numpy"))

    @property
    def dimension(self) -> int:
        """See `EmbeddingModel`."""
        return self._dimension

    @property
    def window(self) -> int:
        """See `EmbeddingModel`."""
        return self._window

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """See `EmbeddingModel`."""
        rows = np.empty((len(texts), self._dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = (self._prefix[kind] + text).split()
            if len(words) > self._window:
                raise ChunkTooLongError(len(words), self._window)
            row[:] = self._vector(words)
        return rows

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:
        """See `EmbeddingModel`."""
        return [len((self._prefix[kind] + text).split()) for text in texts]

    def warm_up(self) -> None:
        """Nothing to load."""

    def _vector(self, words: Sequence[str]) -> NDArray[np.float32]:
        distinct = sorted({word.lower() for word in words} or {""})
        total: NDArray[np.float32] = np.sum(
            [_direction(word, self._dimension, self._seed) for word in distinct], axis=0
        )
        return total / max(float(np.sqrt(total.dot(total))), 1e-9)


@lru_cache(maxsize=65_536)
def _direction(word: str, dimension: int, seed: int) -> NDArray[np.float32]:
    salted = f"{seed}\0{word}" if seed else word
    drawn = np.frombuffer(hashlib.shake_128(salted.encode()).digest(dimension), np.int8)
    return drawn.astype(np.float32) + np.float32(0.5)
