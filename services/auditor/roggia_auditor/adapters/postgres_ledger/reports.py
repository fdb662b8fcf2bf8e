"""Reports over the ledger in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from roggia_auditor.adapters.postgres_ledger.ledger import PostgresLedger
from roggia_auditor.adapters.postgres_ledger.schema import P
from roggia_auditor.adapters.sql_reports import SqlReports


class PostgresReports(SqlReports):
    """See `SqlReports`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def _all(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self._ledger.fetch(numbered(query.format(P=P)), *values)]


def numbered(query: str) -> str:
    """The query with $1, $2 … for its question marks; there is none in it that stands for itself."""
    first, *rest = query.split("?")
    return first + "".join(f"${n}{part}" for n, part in zip(count(1), rest))
