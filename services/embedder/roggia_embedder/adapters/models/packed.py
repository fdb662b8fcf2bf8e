"""What models computed in this process have in common: one tokenisation, length-sorted batches under a token budget."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from roggia_embedder.embedding.batching import plan
from roggia_embedder.errors import ChunkTooLongError, ModelLoadError
from roggia_embedder.ports import Matrix, TextKind


class PackedModel(ABC):
    """A model from a folder in sentence-transformers' form. One call runs at a time."""

    def __init__(self, path: Path, name: str, window: int, batch_tokens: int, prefixes: tuple[str, str]) -> None:
        if not (path / "modules.json").is_file():
            raise ModelLoadError(f"{path} holds no sentence-transformers model (modules.json is missing)")
        self._path = path
        self._name = name
        self._window = window
        self._batch_tokens = batch_tokens
        self._prefix: Mapping[TextKind, str] = {"passage": prefixes[0], "query": prefixes[1]}
        self._lock = threading.Lock()

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """See `EmbeddingModel`. Loads what it needs, once."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """See `EmbeddingModel`."""

    @property
    @abstractmethod
    def _tokenizer(self) -> Any:
        """Of transformers: called with texts, then `pad`."""

    @abstractmethod
    def _forward(self, columns: Mapping[str, list[list[int]]]) -> Matrix:
        """Unit vectors of one batch, tokens not padded yet."""

    @property
    def window(self) -> int:
        """See `EmbeddingModel`."""
        return self._window

    def warm_up(self) -> None:
        """Load the weights, hash them, and encode once."""
        _ = self.fingerprint
        self.encode(["warm up"])

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:
        """See `EmbeddingModel`."""
        return [len(ids) for ids in self._tokenize(texts, kind)["input_ids"]] if texts else []

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """See `EmbeddingModel`."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        tokens = self._tokenize(texts, kind)
        lengths = [len(ids) for ids in tokens["input_ids"]]
        if max(lengths) > self._window:
            raise ChunkTooLongError(max(lengths), self._window)
        rows = np.empty((len(texts), self.dimension), np.float32)
        with self._lock:
            for batch in plan(lengths, self._batch_tokens):
                rows[batch] = self._forward({name: [column[i] for i in batch] for name, column in tokens.items()})
        return rows

    def _tokenize(self, texts: Sequence[str], kind: TextKind) -> dict[str, list[list[int]]]:
        prefix = self._prefix[kind]
        prefixed = [prefix + text for text in texts] if prefix else list(texts)
        found = self._tokenizer(prefixed, truncation=False, padding=False, verbose=False)
        return {name: found[name] for name in self._tokenizer.model_input_names if name in found}

    def _check_positions(self, longest: int | None) -> None:
        if longest is not None and self._window > longest:
            raise ModelLoadError(f"window: {self._window} exceeds the {longest} positions that {self._name} has")


def pooling_of(model: Any) -> str:
    """How token vectors become one, as a fingerprint names it."""
    modes = [str(module.pooling_mode) for module in model if hasattr(module, "pooling_mode")]
    return "+".join(modes) or "none"


def positions_of(model: Any) -> int | None:
    """Most tokens that a model has positions for; None when it does not say."""
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    return getattr(config, "max_position_embeddings", None)
