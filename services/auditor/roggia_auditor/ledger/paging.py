"""A tenant's records, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from roggia_auditor.errors import LedgerError
from roggia_auditor.ledger.model import Row, Stream
from roggia_auditor.ports import Ledger

PAGE = 1_000


async def tenant_pages(
    ledger: Ledger, stream: Stream, tenant: str, size: int, limit: int = PAGE
) -> AsyncIterator[Sequence[Row]]:
    """A tenant's records among the first `size` of a log, in the tenant's own order.

    Raises `LedgerError` where its numbers do not grow: whoever changed the tables must not keep a reader for ever.
    """
    at = 1
    while rows := await ledger.tenant_rows(stream, tenant, at, limit):
        yield [row for row in rows if row.index < size]
        after = rows[-1].leaf.tenant_seq + 1
        if after <= at:
            raise LedgerError(f"{stream}: numbers of {tenant} do not grow beyond {at}; check it (roggia audit fsck)")
        at = after
