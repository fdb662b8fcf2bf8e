"""Records are found by their ids through an index, however many there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from roggia_auditor.adapters import columns, report_sql
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.reports import LOOKED_UP, Selection


@pytest.mark.parametrize("name", LOOKED_UP)
async def test_a_look_up_searches_the_index_of_its_id(name: str, tmp_path: Path) -> None:
    """Neither all records nor all of a tenant's are walked: SQLite's own plan says so, for both ways of asking."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    await ledger.start()
    query, values = report_sql.records(
        Selection(tenants=frozenset({"acme"}), id_name=name, id_value="x", start=1, day="2025-01-01"), None, 10
    )
    for text, given in (
        (query.format(P=""), values),
        (f"SELECT entry FROM records WHERE {columns.looked_up(name)} ORDER BY occurred_at", ["x"]),
    ):
        plan = await ledger.read(lambda held: held.execute(f"EXPLAIN QUERY PLAN {text}", given).fetchall())  # noqa: B023
        steps = " ".join(str(step[-1]) for step in plan)
        assert f"({name}=?)" in steps, steps
        assert "SCAN records" not in steps
    await ledger.stop()
