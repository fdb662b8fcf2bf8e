"""Reports in SQL, the same for every database: an adapter adds how a query is run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from roggia_auditor.adapters import report_rows, report_sql
from roggia_auditor.ports import MonthTotal
from roggia_auditor.reports import DuplicatePlace, Found, FoundDuplicate, Place, Selection


class SqlReports(ABC):
    """See `roggia_auditor.reports.Reports`. The ledger is started and stopped by whoever made it."""

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

    @abstractmethod
    async def _all(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """All rows of a query of `report_sql`. Raises `LedgerUnavailableError`."""
