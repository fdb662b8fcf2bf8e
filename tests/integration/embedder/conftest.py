"""Fixtures of the embedder's integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.model_server import ModelServer, model_server
from tests.support.remote_models import DIMENSION


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A server for one test, so that no cooldown of another is kept."""
    with model_server(DIMENSION) as state:
        yield state
