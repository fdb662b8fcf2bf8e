"""A private PostgreSQL with pgvector, from the `pgserver` wheel. Fixture: `pgvector_dsn` (a fresh database)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Postgres, running


def installation() -> Path | None:
    """The wheel's folder of PostgreSQL. It is not imported: that would start to manage servers and users."""
    found = importlib.util.find_spec("pgserver")
    return Path(found.origin).parent / "pginstall" if found and found.origin else None


@pytest.fixture(scope="session")
def pgvector() -> Iterator[Postgres]:
    """A running private server with pgvector; skips where the wheel is not installed."""
    found = installation()
    if found is None:
        pytest.skip("pgserver is not installed (pip install pgserver): no PostgreSQL with pgvector to test against")
    with running(found) as server:
        yield server


@pytest.fixture
def pgvector_dsn(pgvector: Postgres) -> str:
    """DSN of an empty database of this test alone."""
    return pgvector.new_database()
