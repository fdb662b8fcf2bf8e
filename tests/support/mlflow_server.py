"""MLflow for tests: a SQLite file whose tables are made once, and a real server process that tests stop and start.

Fixtures: `mlflow_file`, a private empty database; `mlflow_server`, a running server that tests of a module share.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.processes import STOP_TIMEOUT_S, ServerProcess, free_port

WEBHOOK_KEY = "mHAybyn9Vq2Jb0Uo0VtsHu7rUrtdQCjG7EjGgzYQbbE="
"""A key of Fernet's form, for tests alone: without one, webhooks are encrypted with a key of the process."""


class MlflowServer(ServerProcess):
    """`mlflow server` on 127.0.0.1; `url` is its tracking address, `database` its SQLite file. Webhooks may go to
    loopback over plain HTTP."""

    start_timeout_s = 400.0  # it computes for 15 s before it listens: minutes on a machine that is busy otherwise

    def __init__(self, data: Path, database: Path) -> None:
        port, self.database = free_port(), database
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(data / "artifacts"),
        ]  # fmt: skip
        environment = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_CACHE_TTL": "1",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": WEBHOOK_KEY,
        }
        super().__init__(command, port, data / "server.log", environment)
        self.url = f"http://127.0.0.1:{port}"

    def freeze(self) -> None:
        """SIGSTOP for the whole group: it takes connections, and answers nothing."""
        os.killpg(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT for the whole group."""
        os.killpg(self.pid, signal.SIGCONT)

    def _end(self, number: signal.Signals) -> int:
        """The whole group: the server is a child of the command, and would outlive its SIGKILL."""
        if self._process is None:
            return 0
        try:
            os.killpg(self._process.pid, number)
            return self._process.wait(STOP_TIMEOUT_S)
        except ProcessLookupError:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait()


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables and nothing in them; making one takes 8 s. Skips without MLflow."""
    if find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed: pip install 'roggia[registry]'")
    from roggia_runtime.adapters.mlflow_client import MlflowConnection

    file = tmp_path_factory.mktemp("mlflow") / "template.sqlite3"
    MlflowConnection(f"sqlite:///{file}").client.search_registered_models()
    return file


@pytest.fixture
def mlflow_file(mlflow_template: Path, tmp_path: Path) -> str:
    """Tracking address of an empty database of this test alone."""
    file = tmp_path / "registry" / "mlflow.sqlite3"
    file.parent.mkdir()
    shutil.copy(mlflow_template, file)
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def mlflow_server(mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A running server. Tests of one module share it, under model names of their own."""
    data = tmp_path_factory.mktemp("mlflow-server")
    shutil.copy(mlflow_template, data / "server.sqlite3")
    server = MlflowServer(data, data / "server.sqlite3")
    server.start()
    yield server
    server.kill()
