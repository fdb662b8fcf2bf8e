"""MLflow's client, as services use it. The one place that decides how MLflow behaves inside a process of ours.

`import mlflow` takes seconds and 120 MiB, so it happens at the first request, not before. The fluent functions
(`mlflow.log_model`, `mlflow.artifacts.download_artifacts("models:/…")`) read a tracking address that is global to the
process, and make a database in the working directory when it is unset: nothing here uses them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from roggia_runtime.errors import (
    ConfigurationError,
    ModelRegistryError,
    ModelRegistryUnavailableError,
    UnknownModelError,
)

SQLITE = "sqlite:///"
FACTS_FILE = "roggia.json"
"""In every logged version's folder: what was logged, unchangeable, where tags can be changed by anybody."""
WEIGHTS_FOLDER = "model.sentence_transformer"
"""Where MLflow's own flavour looks for a sentence-transformers model, beside `MLmodel`."""

_GONE = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}
_DOWN = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "IO_ERROR"}
_BEHAVIOUR = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it reports usage to its makers by default
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # commands print JSON there
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # 7 with backoff hold a caller for 4 minutes; callers here ask again
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""MLflow takes these from the environment alone. What the environment has already stays."""


class MlflowConnection:
    """One tracking address: `sqlite:///FILE` or `http(s)://…`. Calls block, and may be made from any one thread.

    Raises `ConfigurationError` for another kind of address, and at first use when MLflow is not installed.
    """

    def __init__(self, uri: str) -> None:
        if not uri.startswith((SQLITE, "http://", "https://")) or uri == SQLITE:
            raise ConfigurationError(
                f"model registry: {uri!r} is not an address; use sqlite:///FILE, or http(s):// of an MLflow server"
            )
        self.uri = uri

    @property
    def file(self) -> Path | None:
        """The database file; None for a server."""
        return Path(self.uri.removeprefix(SQLITE)) if self.uri.startswith(SQLITE) else None

    @property
    def empty(self) -> bool:
        """Whether nothing can be there, which is known without loading MLflow: the database file does not exist."""
        return self.file is not None and not self.file.exists()

    @cached_property
    def client(self) -> Any:
        """The client. A database that does not exist is made, which takes about 8 s."""
        load()
        from mlflow import MlflowClient

        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(self.uri, self.uri)

    def download(self, name: str, version: int, into: Path) -> Path:
        """Put a version's folder under `into`; return where it lies. Raises `UnknownModelError`."""
        with speaking(f"{name}/{version}"):
            source = str(self.client.get_model_version_download_uri(name, str(version)))
            if source.startswith("runs:/"):
                run, _, path = source.removeprefix("runs:/").partition("/")
                return Path(self.client.download_artifacts(run, path, str(into)))
            return self._plain(source, into)

    def _plain(self, source: str, into: Path) -> Path:
        """A version that another tool registered: a logged model's folder, or a place that MLflow reads."""
        from mlflow.artifacts import download_artifacts

        if source.startswith("models:/"):
            source = self.client.get_logged_model(source.removeprefix("models:/")).artifact_location
        return Path(download_artifacts(artifact_uri=source, dst_path=str(into), tracking_uri=self.uri))


def load() -> None:
    """Import MLflow with the behaviour above. Raises `ConfigurationError` when it is not installed."""
    for name, value in _BEHAVIOUR.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(f"models: {error.name} is not installed; pip install 'roggia[registry]'") from error
    import logging

    # Making a database logs each of its 50 migrations.
    logging.Logger.manager.getLogger("alembic").setLevel(logging.WARNING)
    # Every try on a server that is away logs a line, for as long as it is away; callers say so once.
    logging.Logger.manager.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


@contextmanager
def speaking(about: str) -> Iterator[None]:
    """MLflow's errors as ours. `about` is what the message begins with.

    An answer of status 5xx and a connection that fails look alike in MLflow: both mean asking again.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        text = f"{about}: {' '.join(str(error).split())[:400]}"
        if error.error_code in _GONE:
            raise UnknownModelError(text) from error
        if error.error_code in _DOWN:
            raise ModelRegistryUnavailableError(text) from error
        raise ModelRegistryError(text) from error
    except OSError as error:
        raise ModelRegistryUnavailableError(f"{about}: {error}") from error
