"""Reports over the ledger in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from roggia_auditor.adapters import report_rows, report_sql
from roggia_auditor.adapters.postgres_ledger.ledger import PostgresLedger
from roggia_auditor.adapters.postgres_ledger.schema import P
from roggia_auditor.ports import MonthTotal
from roggia_auditor.reports import DuplicatePlace, Found, FoundDuplicate, Place, Selection


class PostgresReports:
    """See `roggia_auditor.reports.Reports`. The ledger is started and stopped by whoever made it."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    async def records(self, wanted: Selection, after: Place | None, limit: int) -> Sequence[Found]:
        """See `Reports`."""
        return list(map(report_rows.found, await self._all(*report_sql.records(wanted, after, limit))))

    async def count(self, wanted: Selection) -> int:
        """See `Reports`."""
        return int((await self._all(*report_sql.count(wanted)))[0][0])

    async def duplicates(
        self, tenants: frozenset[str] | None, after: DuplicatePlace | None, limit: int
    ) -> Sequence[FoundDuplicate]:
        """See `Reports`."""
        return list(map(report_rows.duplicate, await self._all(*report_sql.duplicates(tenants, after, limit))))

    async def months(self, tenant: str) -> Sequence[MonthTotal]:
        """See `Reports`."""
        crossed = await self._all(report_sql.CROSSINGS, [tenant])
        return report_rows.months(await self._all(report_sql.MONTHS, [tenant]), crossed)

    async def tenants(self) -> Sequence[str]:
        """See `Reports`."""
        return [str(tenant) for (tenant,) in await self._all(report_sql.TENANTS, [])]

    async def knows(self, tenant: str) -> bool:
        """See `Reports`."""
        return bool(await self._all(report_sql.KNOWN, [tenant]))

    async def note(self, origin: str) -> tuple[int, str] | None:
        """See `Reports`."""
        found = await self._all(report_sql.NOTE, [origin])
        return (int(found[0][0]), str(found[0][1])) if found else None

    async def notes(self) -> Sequence[tuple[str, int, str]]:
        """See `Reports`."""
        return [(str(origin), int(size), str(note)) for origin, size, note in await self._all(report_sql.NOTES, [])]

    async def _all(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self._ledger.fetch(numbered(query.format(P=P)), *values)]


def numbered(query: str) -> str:
    """The query with $1, $2 … for its question marks; there is none in it that stands for itself."""
    first, *rest = query.split("?")
    return first + "".join(f"${n}{part}" for n, part in zip(count(1), rest))
