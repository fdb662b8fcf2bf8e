"""The embedding model, as domain code sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float32]
TextKind: TypeAlias = Literal["passage", "query"]


class Took(NamedTuple):
    """Tokens that an answer took. `reported`: whoever computed it says so; else it is an estimate."""

    tokens: int
    reported: bool


Spent: TypeAlias = Callable[[Sequence[str], Took], None]
"""Told of texts that were computed together, and what that took."""
EncodeMetered: TypeAlias = Callable[[Sequence[str], TextKind, Spent], Matrix]
"""`encode_metered`, which a model has that says itself what an answer took. As `encode`; it tells of every answer that
came, also of those that are of no use because another one did not; from any thread."""


class EmbeddingModel(Protocol):
    """Texts in, unit vectors out. Used by the embed role for passages and by the query role for queries.

    Calls are synchronous and may take seconds: callers run them in a thread. An implementation is safe to call from
    several threads; a local one computes one call at a time.
    """

    @property
    def fingerprint(self) -> str:
        """Name, weights' hash, window, pooling, prefixes, dimension, backend and quantization. Equal fingerprints mean
        vectors that may share one collection."""
        ...

    @property
    def dimension(self) -> int:
        """Columns of `encode`'s result."""
        ...

    @property
    def window(self) -> int:
        """Most tokens of one text, special tokens and prefix included."""
        ...

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """One row per text, in the order given: float32, C-contiguous, shape (len(texts), dimension), rows of length 1.

        Raises `ChunkTooLongError` for a text beyond the window; of a remote model `ModelUnavailableError` when it is
        down or busy, `ModelChangedError` when it is not the model any more that the fingerprint names. All or nothing:
        no row is returned then.
        """
        ...

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:
        """Tokens of each text as `encode` would see it, special tokens and prefix included, nothing cut."""
        ...

    def warm_up(self) -> None:
        """Load what `encode` needs, so that the first request is not slow. Readiness waits for it."""
        ...
