"""Reports over the ledger in SQLite. WAL lets them read while another process writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roggia_auditor.adapters.sql_reports import SqlReports
from roggia_auditor.adapters.sqlite_ledger.ledger import SqliteLedger


class SqliteReports(SqlReports):
    """See `SqlReports`."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def _all(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        text = query.format(P="")
        return await self._ledger.read(lambda connection: connection.execute(text, tuple(values)).fetchall())
