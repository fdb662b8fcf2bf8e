"""A few storms for every run of the tests; `make chaos` has fifty."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.storm import results
from tests.support.storm.plan import SHORT
from tests.support.storm.run import Ground, storm


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 3])
async def test_a_short_storm_ends_as_its_log_says(seed: int, ground: Ground, tmp_path: Path) -> None:
    """Zombies, kills, a broker in trouble, locked and full databases, replays: no difference from the model."""
    verdict = await storm(seed, ground, tmp_path, SHORT)
    assert not verdict.differences, results.report(verdict)
