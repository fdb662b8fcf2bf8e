"""Rollback with several query processes, on Apache Kafka and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.migration.ensemble import Ensemble
from tests.support.migration.rollback import Rehearsal
from tests.support.storm.run import Ground


@pytest.mark.timeout(400)
async def test_every_reader_is_back_and_none_goes_forth_again(
    ground: Ground, pgvector_dsn: str, tmp_path: Path
) -> None:
    """From the command until three query processes answer by the old generation, with what was written while the new
    one served; none of them goes forth again. How long that takes, `bench_rollback` says: at most a second."""
    ensemble = Ensemble(ground, tmp_path, pgvector_dsn, session_s=3.0)
    found = await Rehearsal(ensemble).run(5)
    print("readers back within", sorted(round(one.readers_s, 3) for one in found))
    assert [one.late for one in found] == [0] * 5
