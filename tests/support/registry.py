"""A private schema registry for tests. Fixture: `registry`, an empty devstack registry of this test alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ServerProcess, free_port


class Registry(ServerProcess):
    """A devstack registry on 127.0.0.1; `url` is what clients are given."""

    def __init__(self, data: Path) -> None:
        port = free_port()
        data.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "roggia_devstack", "registry", "--data", str(data / "schemas")]
        super().__init__([*command, "--port", str(port)], port, data / "server.log")
        self.url = f"http://127.0.0.1:{port}"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A running registry with nothing in it."""
    server = Registry(tmp_path / "registry")
    server.start()
    yield server
    server.kill()
