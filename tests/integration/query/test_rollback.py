"""Rollback with several query processes, on Apache Kafka and PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from tests.support.migration.ensemble import Ensemble
from tests.support.migration.rollback import Rehearsal
from tests.support.storm.run import Ground

PROMISE_S = 1.0


@pytest.mark.timeout(400)
async def test_every_reader_is_back_within_a_second(ground: Ground, pgvector_dsn: str, tmp_path: Path) -> None:
    """From the command until three query processes answer by the old generation, with what was written while the new
    one served: within a second, and none of them goes forth again."""
    ensemble = Ensemble(ground, tmp_path, pgvector_dsn, session_s=3.0)
    found = await Rehearsal(ensemble).run(5)
    print("readers back within", sorted(round(one.readers_s, 3) for one in found))
    assert [one.late for one in found] == [0] * 5
    assert median(one.readers_s for one in found) < PROMISE_S
