"""A model in front of another one: what it does not change is the other's."""

from __future__ import annotations

from collections.abc import Sequence

from roggia_embedder.ports import EmbeddingModel, Matrix, TextKind


class Through:
    """Base of models that add something to `encode`. Passes everything on to `_model`."""

    def __init__(self, model: EmbeddingModel) -> None:
        self._model = model

    @property
    def fingerprint(self) -> str:
        """See `EmbeddingModel`."""
        return self._model.fingerprint

    @property
    def dimension(self) -> int:
        """See `EmbeddingModel`."""
        return self._model.dimension

    @property
    def window(self) -> int:
        """See `EmbeddingModel`."""
        return self._model.window

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """See `EmbeddingModel`."""
        return self._model.encode(texts, kind)

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:
        """See `EmbeddingModel`."""
        return self._model.count_tokens(texts, kind)

    def warm_up(self) -> None:
        """See `EmbeddingModel`."""
        self._model.warm_up()
