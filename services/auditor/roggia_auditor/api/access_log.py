"""Who read the audit log: one leaf for each reading, in a log of its own, entered before the answer leaves.

The log is a stream of the ledger like any other (`READINGS`), with numbers per tenant, so that a tenant's export holds
the readings of its records too, provably all of them. It is the only stream that Kafka does not hold: places and times
are those of this process, and a ledger that is rebuilt from Kafka begins it anew.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7

from roggia_auditor import periods
from roggia_auditor.errors import LedgerConflictError
from roggia_auditor.leaf import Leaf, Status
from roggia_auditor.ledger.model import READINGS, Draft, Head, Row, row_of
from roggia_auditor.ports import Ledger

Knows: TypeAlias = Callable[[str], Awaitable[bool]]
"""Whether the ledger holds a record of a tenant."""
_TRIES = 20
"""Another process that enters readings at the same time moves the head; each try meets it anew."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One reading. Free of personal data: what the asker typed freely is here as a hash alone."""

    actor: str
    """Name of the token."""
    action: str
    """Operation of the API."""
    tenant: str = ""
    """Whose records were asked for; empty for all that the token may see."""
    query: dict[str, str] = {}
    rows: int = 0
    bytes: int = 0


@dataclass(eq=False, slots=True)
class _Entry:
    access: Access
    event_id: str = field(default_factory=uuid7)


class AccessLog:
    """Enters readings. Those that come at the same time share one transaction."""

    def __init__(self, ledger: Ledger, knows: Knows, now: Callable[[], int] = now_ms) -> None:
        self._ledger, self._knows, self._now = ledger, knows, now
        self._waiting: list[_Entry] = []
        self._lock = asyncio.Lock()

    async def enter(self, *accesses: Access) -> None:
        """Return once the readings are in the ledger. One about a tenant without records is nobody's: asking about a
        name makes no tenant of it.

        Raises `LedgerUnavailableError` or `LedgerConflictError` where it cannot be: then nothing may be answered.
        """
        mine = [_Entry(await self._named(one)) for one in accesses]
        self._waiting += mine
        try:
            async with self._lock:
                if any(one in self._waiting for one in mine):
                    await self._write(list(self._waiting))
        finally:
            self._waiting = [one for one in self._waiting if one not in mine]

    async def _named(self, access: Access) -> Access:
        unknown = access.tenant and not await self._knows(access.tenant)
        return msgspec.structs.replace(access, tenant="") if unknown else access

    async def _write(self, entries: Sequence[_Entry]) -> None:
        for tries in range(_TRIES):
            try:
                await self._append(entries)
                break
            except LedgerConflictError:
                if tries + 1 == _TRIES:
                    raise
        self._waiting = [one for one in self._waiting if one not in entries]

    async def _append(self, entries: Sequence[_Entry]) -> None:
        tenants = {one.access.tenant for one in entries if one.access.tenant}
        found = await self._ledger.before({READINGS: tenants}, [one.event_id for one in entries])
        before = found.streams[READINGS]
        # A caller that was cancelled may have had its entry written all the same.
        new = [one for one in entries if one.event_id not in found.known]
        await self._ledger.append([draft(before.head, before.sequences, new, self._now())])


def draft(before: Head, sequences: Mapping[str, int], entries: Sequence[_Entry], at: int) -> Draft:
    """The readings as leaves behind `before`. `sequences` are last numbers by tenant."""
    made = Draft(READINGS, before, before)
    for place, one in enumerate(entries):
        made.rows.append(_row(one, before, place, made.number(one.access.tenant, sequences), at))
    made.close(before.next_offset + len(entries), {})
    return made


def _row(one: _Entry, before: Head, place: int, number: int, at: int) -> Row:
    value = msgspec.json.encode(one.access, order="deterministic")
    day = periods.day(at, "UTC")
    month = periods.month(day)
    leaf = Leaf(
        topic_id=READINGS.topic_id,
        partition=READINGS.partition,
        offset=before.next_offset + place,
        appended_at=at,
        event_id=one.event_id,
        tenant=one.access.tenant,
        tenant_seq=number,
        status=Status.ACCESS,
        reason="",
        period=month,
        booked=month,
        cost_pico=None,
        price_version="",
        value_sha256=hashlib.sha256(value).digest(),
    )
    return row_of(leaf, before.frontier.size + place, at, day, {}, value)
