"""The auditor in a long storm: a hundred kills, and all that it rests on dies as well."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from roggia_auditor.ports import Ledger

from tests.support.auditor_storm import Fault, Storm, prove
from tests.support.kafka import Broker
from tests.support.postgres import Postgres

KILLS = int(os.environ.get("ROGGIA_CHAOS_KILLS", "100"))


@pytest.mark.chaos
async def test_a_hundred_kills(
    own_broker: Broker,
    audit_ledger: tuple[str, Ledger],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """20,000 records of which one in twenty is sent twice; two auditors that fight over the partitions are killed a
    hundred times, the broker is killed or restarted, PostgreSQL is killed: rows, sums, roots and tenants' numbers are
    those of one undisturbed reading, every total and record was told, on both brokers and both databases."""
    faults: list[Fault] = [own_broker.restart, lambda: _killed(own_broker)]
    if audit_ledger[0].startswith("postgresql:"):
        postgres: Postgres = request.getfixturevalue("postgres")
        faults.insert(0, postgres.crash)
    await prove(own_broker, audit_ledger, tmp_path, Storm(seed=7, count=20_000, kills=KILLS), faults)


def _killed(broker: Broker) -> None:
    broker.kill()
    broker.start()
