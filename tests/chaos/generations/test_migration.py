"""A migration of 20,000 documents to another model, while they change, are searched, and everything is killed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.migration import results
from tests.support.migration.plan import LONG
from tests.support.migration.run import Migration
from tests.support.storm.run import Ground

DOCUMENTS = int(os.environ.get("ROGGIA_CHAOS_DOCUMENTS") or LONG.documents)
SEED = int(os.environ.get("ROGGIA_CHAOS_MIGRATION") or 1)


@pytest.mark.chaos
@pytest.mark.timeout(5400)
async def test_nobody_notices_a_migration(ground: Ground, pgvector_dsn: str, tmp_path: Path) -> None:
    """Afterwards both generations equal the model of the log: 0 missing, 0 resurrected, 0 mixed vectors. Every search
    was answered; 95 of 100 took at most one embedding batch longer than before."""
    size = replace(LONG, documents=DOCUMENTS)
    migration = Migration(SEED, ground, pgvector_dsn, tmp_path, size)
    await migration.run()
    outcome = results.outcome(migration)
    results.keep(outcome)
    print(results.words(outcome))
    assert not outcome.wrong, results.words(outcome)
    assert outcome.p95_migration_s <= outcome.p95_before_s + size.batch_s, results.words(outcome)
