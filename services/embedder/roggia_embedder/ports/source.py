"""Where the weights of a registered model come from."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class ModelSource(Protocol):
    """A registry of models that this process can copy from. `adapters/mlflow_source.py` is MLflow's."""

    def fetch(self, uri: str) -> Path:
        """A folder on this disk with the model of `models:/NAME/VERSION`, in sentence-transformers' form: it holds
        `modules.json`. Asked again, it may answer the same folder; what is in it does not change.

        Blocks while it copies. Raises `ModelUnavailableError` when the registry does not answer now, `ModelLoadError`
        when there is no such version or it is no sentence-transformers model.
        """
        ...
