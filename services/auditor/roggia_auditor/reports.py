"""What readers of the ledger ask: records by where, when and what; months; duplicates; checkpoints.

A port of its own beside `Ledger`: whoever reads must be able to write nothing by it. Every question names the tenants
that the asker may see; None stands for all of them, and is never a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from roggia_auditor.leaf import Status
from roggia_auditor.ledger.model import Duplicate, Row, Stream
from roggia_auditor.ports import MonthTotal

LOOKED_UP = ("event_id", "request_id", "response_id", "trace_id")
"""Ids by which single records are found, through an index."""


class Place(NamedTuple):
    """Where a page of records ended. `stream` is the ledger's own number of it."""

    occurred_at: int
    stream: int
    leaf_index: int


class DuplicatePlace(NamedTuple):
    """Where a page of duplicates ended."""

    stream: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which records: every condition that is set holds. Times in milliseconds since 1970, `end` is not in it."""

    tenants: frozenset[str] | None
    id_name: str = ""
    """One of `LOOKED_UP`; `id_value` is what it is equal to."""
    id_value: str = ""
    start: int | None = None
    end: int | None = None
    day: str = ""
    model: str = ""
    """provider/model of the last attempt."""
    prompt: str = ""
    """name@version."""
    statuses: frozenset[Status] = frozenset({Status.RATED, Status.UNPRICED, Status.PARKED, Status.UNREADABLE})
    topic: str = ""
    """Only of streams of this topic."""
    late: bool = False
    """Only those that another month counts than the one they are of."""


class Found(NamedTuple):
    """One record, and where it is in the order of pages."""

    stream: Stream
    row: Row
    place: Place


class FoundDuplicate(NamedTuple):
    """One duplicate, and where it is in the order of pages."""

    stream: Stream
    duplicate: Duplicate
    place: DuplicatePlace


class Reports(Protocol):
    """Reading for people and programs. Raises `LedgerUnavailableError` when the database does not answer now."""

    async def records(self, wanted: Selection, after: Place | None, limit: int) -> Sequence[Found]:
        """At most `limit` records behind `after`, newest first by the time of the event."""
        ...

    async def count(self, wanted: Selection) -> int:
        """How many records in the ledger's tables match; those of sealed months are not looked at."""
        ...

    async def duplicates(
        self, tenants: frozenset[str] | None, after: DuplicatePlace | None, limit: int
    ) -> Sequence[FoundDuplicate]:
        """At most `limit` duplicates behind `after`, in the order of streams and offsets."""
        ...

    async def months(self, tenant: str) -> Sequence[MonthTotal]:
        """Every month of a tenant that has any use of its own, oldest first."""
        ...

    async def tenants(self) -> Sequence[str]:
        """Every tenant that has a record, by name."""
        ...

    async def knows(self, tenant: str) -> bool:
        """Whether a tenant has a record."""
        ...

    async def note(self, origin: str) -> tuple[int, str] | None:
        """Size and text of a log's newest checkpoint; None for one that has none."""
        ...

    async def notes(self) -> Sequence[tuple[str, int, str]]:
        """Origin, size and text of every log's newest checkpoint, by origin."""
        ...
