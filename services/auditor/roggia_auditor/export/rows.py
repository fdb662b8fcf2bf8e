"""Records as exports read them: page by page, in their order, none left out; and the events in them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from roggia_runtime.records import Record
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import InferenceCompleted

from roggia_auditor.errors import ExportError
from roggia_auditor.ledger.model import Row, Stream
from roggia_auditor.ports import EventCodec, Ledger

_PAGE = 500


async def rows_of(ledger: Ledger, stream: Stream, tenant: str, last: int) -> AsyncIterator[Row]:
    """Records 1 to `last` of a tenant in a stream. Raises `ExportError` where one is not in the ledger any more."""
    at = 1
    while at <= last:
        rows = await ledger.tenant_rows(stream, tenant, at, min(_PAGE, last - at + 1))
        if not rows or rows[0].leaf.tenant_seq != at:
            raise ExportError(f"{stream}: record {at} of tenant {tenant} is not in the ledger any more")
        for row in rows:
            yield row
        at += len(rows)


async def event_of(codec: EventCodec, stream: Stream, row: Row) -> InferenceCompleted | None:
    """The event of a record; None where it does not read. Raises `UnavailableError`."""
    leaf = row.leaf
    record = Record(stream.topic, stream.partition, leaf.offset, leaf.appended_at, leaf.tenant.encode(), row.value)
    try:
        return await codec.decode(InferenceCompleted, record) if row.value else None
    except SchemasError:
        return None
