"""Records as exports read them: page by page, in their order, none left out; and the events in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from roggia_runtime.records import Record
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import InferenceCompleted

from roggia_auditor.errors import ExportError
from roggia_auditor.ledger.model import ACTS, Row, Stream
from roggia_auditor.ports import EventCodec, Ledger
from roggia_auditor.retention.history import dropped_of

_PAGE = 500


async def rows_of(
    ledger: Ledger, stream: Stream, tenant: str, last: int, dropped: Sequence[tuple[int, int]]
) -> AsyncIterator[Row]:
    """Records 1 to `last` of a tenant in a stream but those that were dropped (`roggia_auditor.retention.history`).

    Raises `ExportError` where another one is not in the ledger any more.
    """
    at = 1
    while (at := _kept_from(at, dropped)) <= last:
        rows = await ledger.tenant_rows(stream, tenant, at, min(_PAGE, last - at + 1))
        for row in rows:
            if row.leaf.tenant_seq > last:
                return
            if row.leaf.tenant_seq != (at := _kept_from(at, dropped)):
                break
            yield row
            at += 1
        if not rows or rows[0].leaf.tenant_seq >= at:
            raise ExportError(f"{stream}: record {at} of tenant {tenant} is not in the ledger any more")


async def dropped_in(
    ledger: Ledger, tenant: str, last: Sequence[tuple[str, int]], streams: Mapping[str, Stream]
) -> Mapping[str, Sequence[tuple[int, int]]]:
    """By log, numbers of a tenant that were dropped, as its acts up to its last one in `last` say."""
    return await dropped_of(ledger, tenant, sum(number for origin, number in last if streams[origin] == ACTS))


async def event_of(codec: EventCodec, stream: Stream, row: Row) -> InferenceCompleted | None:
    """The event of a record; None where it does not read. Raises `UnavailableError`."""
    leaf = row.leaf
    record = Record(stream.topic, stream.partition, leaf.offset, leaf.appended_at, leaf.tenant.encode(), row.value)
    try:
        return await codec.decode(InferenceCompleted, record) if row.value else None
    except SchemasError:
        return None


def _kept_from(number: int, dropped: Sequence[tuple[int, int]]) -> int:
    """The number, or the first one behind it that was not dropped."""
    for first, last in dropped:
        if first <= number <= last:
            number = last + 1
    return number
