"""A migration to another model under fire, small; `make chaos` has a large one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.migration import results
from tests.support.migration.plan import SHORT
from tests.support.migration.run import Migration
from tests.support.storm.run import Ground


@pytest.mark.timeout(900)
async def test_a_small_migration(ground: Ground, pgvector_dsn: str, tmp_path: Path) -> None:
    """While documents change and every service and the broker are killed once: both generations are what the log says,
    no vector is another model's, and every search is answered."""
    migration = Migration(1, ground, pgvector_dsn, tmp_path, SHORT)
    await migration.run()
    outcome = results.outcome(migration)
    print(results.words(outcome))
    assert not outcome.wrong, results.words(outcome)
