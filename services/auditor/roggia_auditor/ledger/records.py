"""A row of the ledger as the record that it was: what a codec decodes."""

from __future__ import annotations

from roggia_runtime.records import Record

from roggia_auditor.ledger.model import Row, Stream


def record_of(stream: Stream, row: Row) -> Record:
    """The record, without its headers: the ledger does not keep them."""
    leaf = row.leaf
    return Record(stream.topic, stream.partition, leaf.offset, leaf.appended_at, leaf.tenant.encode(), row.value)
