"""A local model on ONNX Runtime, on the CPU: int8 is about 1.7 x as fast as torch in fp32, and another model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from roggia_embedder.adapters.models.onnx_export import Exported, exported, session
from roggia_embedder.adapters.models.packed import PackedModel
from roggia_embedder.embedding.fingerprint import Fingerprint, weights_hash
from roggia_embedder.ports import Matrix
from roggia_embedder.precision import Precision, number_type


class OnnxModel(PackedModel):
    """A model from a folder, exported at first use (`exported`) into `folder`. Later uses do not load the weights into
    torch."""

    def __init__(
        self,
        path: Path,
        *,
        folder: Path,
        name: str,
        window: int,
        batch_tokens: int = 4096,
        threads: int | None = None,
        prefixes: tuple[str, str] = ("", ""),
        precision: Precision = "int8",
    ) -> None:
        super().__init__(path, name, window, batch_tokens, prefixes)
        self._folder = folder
        self._threads = threads
        self._precision = precision

    @cached_property
    def fingerprint(self) -> str:
        """See `EmbeddingModel`. The weights are those of the folder; backend and number type tell the rest."""
        return str(
            Fingerprint(
                name=self._name,
                weights=self._weights,
                window=self._window,
                pooling=self._exported.about.pooling,
                normalized=True,
                passage_prefix=self._prefix["passage"],
                query_prefix=self._prefix["query"],
                dimension=self.dimension,
                backend="onnx",
                quantization=number_type(self._precision),
            )
        )

    @property
    def dimension(self) -> int:
        """See `EmbeddingModel`."""
        return self._exported.about.dimension

    @cached_property
    def _weights(self) -> str:
        return weights_hash(self._path)

    @cached_property
    def _exported(self) -> Exported:
        found = exported(self._path, self._weights, self._precision, self._folder)
        self._check_positions(found.about.positions)
        return found

    @cached_property
    def _session(self) -> Any:
        return session(self._exported.file, self._threads)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(str(self._path / self._exported.about.tokenizer), local_files_only=True)

    def _forward(self, columns: Mapping[str, list[list[int]]]) -> Matrix:
        padded = self._tokenizer.pad(dict(columns), return_tensors="np")
        fed = {name: padded[name].astype(np.int64) for name in self._exported.about.inputs}
        rows = self._session.run(None, fed)[0]
        unit: Matrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit
