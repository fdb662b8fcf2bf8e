"""Fifty seeds of mixed faults on Apache Kafka: whatever happens, the end is what the log says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.storm import results
from tests.support.storm.run import Ground, storm

SEEDS = results.seeds(os.environ.get("ROGGIA_CHAOS_SEED") or "1-50")


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_seed_ends_as_its_log_says(seed: int, ground: Ground, tmp_path: Path) -> None:
    """Chunk sets, index, announcements, dead letters, catalogue and offsets are those of the log: no difference."""
    verdict = await storm(seed, ground, tmp_path)
    results.keep(verdict)
    assert not verdict.differences, results.report(verdict)
