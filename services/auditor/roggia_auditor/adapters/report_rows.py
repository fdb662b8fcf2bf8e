"""Values of reports out of rows of either database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from roggia_auditor.adapters import columns
from roggia_auditor.ledger.model import Crossing, Duplicate, Limits, Month, MonthKey, Stream
from roggia_auditor.ports import MonthTotal
from roggia_auditor.reports import DuplicatePlace, Found, FoundDuplicate, Place


def found(values: Sequence[Any]) -> Found:
    """A record of `report_sql.records`."""
    row = columns.from_record(tuple(values[4:]))
    return Found(Stream(*values[:3]), row, Place(row.occurred_at, values[3], row.index))


def duplicate(values: Sequence[Any]) -> FoundDuplicate:
    """A duplicate of `report_sql.duplicates`."""
    topic, topic_id, partition, stream, offset, event_id, digest, same, tenant = values
    one = Duplicate(offset, event_id, bytes(digest), bool(same), tenant)
    return FoundDuplicate(Stream(topic, topic_id, partition), one, DuplicatePlace(stream, offset))


def months(rows: Iterable[Sequence[Any]], crossed: Iterable[Sequence[Any]]) -> list[MonthTotal]:
    """Months of `report_sql.MONTHS` with their crossings of `report_sql.CROSSINGS`."""
    by_period: dict[str, list[Crossing]] = {}
    for period, limit, percent in crossed:
        by_period.setdefault(period, []).append(Crossing(limit, percent))
    return [
        MonthTotal(MonthKey(*row[:2]), Month(*row[2:5]), row[7], Limits(*row[5:7]), tuple(by_period.get(row[1], ())))
        for row in map(tuple, rows)
    ]
