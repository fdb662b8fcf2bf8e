"""What compaction keeps of one record batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from roggia_devstack.storage.batch import (
    APPEND_TIME,
    COMPRESSION,
    HORIZON,
    Header,
    build,
)
from roggia_devstack.storage.compression import compress
from roggia_devstack.storage.errors import DecodeError
from roggia_devstack.storage.records import Record, encode_varint, records
from roggia_devstack.storage.snapshot import NEVER_MS
from roggia_devstack.storage.values import AbortedTransaction

Kept = bytes | Literal[True] | None
"""A batch written anew, True for one that stays as it is, None for one of which nothing stays."""


class Keys:
    """Last offset of every key in the part of a log that compaction has not seen, without aborted transactions."""

    def __init__(self, aborted: Sequence[AbortedTransaction]) -> None:
        self._aborted = aborted
        self._latest: dict[bytes, int] = {}

    def collect(self, chunk: bytes, at: int, header: Header) -> None:
        """Take in one batch. One that cannot be read inside supersedes nothing."""
        if header.control or self.aborted(header):
            return
        try:
            for record in records(chunk, at, header):
                if record.key is not None:
                    self._latest[record.key] = header.base_offset + record.offset_delta
        except DecodeError:
            return

    def superseded(self, key: bytes, offset: int) -> bool:
        """Say whether a later record has this key."""
        return self._latest.get(key, -1) > offset

    def aborted(self, header: Header) -> bool:
        """Say whether a batch belongs to an aborted transaction."""
        return header.transactional and any(
            entry.producer_id == header.producer_id and entry.first_offset <= header.base_offset < entry.marker_offset
            for entry in self._aborted
        )


class Filter:
    """Decides batch by batch, in offset order from the log's start. `next_horizon_ms`: when to look again."""

    def __init__(self, keys: Keys, end_offset: int, now_ms: int, delete_retention_ms: int) -> None:
        self._keys, self._end_offset, self._now_ms = keys, end_offset, now_ms
        self._new_horizon_ms = min(now_ms + delete_retention_ms, NEVER_MS)
        self._with_records: set[int] = set()
        self.next_horizon_ms = NEVER_MS

    def batch(self, chunk: bytes, at: int, header: Header) -> Kept:
        """Return what stays of a batch."""
        if header.control:
            return self._marker(chunk, at, header)
        if self._keys.aborted(header):
            return None
        try:
            kept = self._data(chunk, at, header)
        except DecodeError:
            # Bytes that this broker cannot read are not its to throw away.
            kept = True
        if kept is not None and header.transactional:
            self._with_records.add(header.producer_id)
        return kept

    def _data(self, chunk: bytes, at: int, header: Header) -> Kept:
        last, expired = self._last(header), self._expired(header)
        kept = [
            record
            for record in records(chunk, at, header)
            if record.key is not None
            and not (expired and record.tombstone)
            and not self._keys.superseded(record.key, header.base_offset + record.offset_delta)
        ]
        if not kept:
            return True if last else None
        waiting = not last and any(record.tombstone for record in kept)
        if waiting:
            self._look_again(header)
        stamp = waiting and not header.attributes & HORIZON
        if len(kept) == header.record_count and not stamp:
            return True
        return _rebuilt(header, kept, self._new_horizon_ms if stamp else None)

    def _marker(self, chunk: bytes, at: int, header: Header) -> Kept:
        """A marker stays while records of its transaction do, and as long as a tombstone would after that."""
        if self._last(header) or header.producer_id in self._with_records:
            self._with_records.discard(header.producer_id)
            return True
        if self._expired(header):
            return None
        self._look_again(header)
        if header.attributes & HORIZON:
            return True
        return _rebuilt(header, list(records(chunk, at, header)), self._new_horizon_ms)

    def _last(self, header: Header) -> bool:
        """The log's last batch keeps its last record: a reader gets to the end by reading it, or its lag is never 0."""
        return header.last_offset + 1 == self._end_offset

    def _expired(self, header: Header) -> bool:
        stamped = bool(header.attributes & HORIZON)
        return stamped and header.base_timestamp <= self._now_ms and not self._last(header)

    def _look_again(self, header: Header) -> None:
        due = header.base_timestamp if header.attributes & HORIZON else self._new_horizon_ms
        self.next_horizon_ms = min(self.next_horizon_ms, due)


def _rebuilt(header: Header, kept: Sequence[Record], horizon_ms: int | None) -> bytes:
    """The batch with fewer records or with a delete horizon: same offsets, producer, sequence, timestamps and codec."""
    base = header.base_timestamp if horizon_ms is None else horizon_ms
    attributes = header.attributes if horizon_ms is None else header.attributes | HORIZON
    newest = max(header.base_timestamp + record.timestamp_delta for record in kept)
    content = b"".join(_record(record, header.base_timestamp - base) for record in kept)
    changed = header._replace(
        attributes=attributes,
        base_timestamp=base,
        max_timestamp=header.max_timestamp if attributes & APPEND_TIME else newest,
        record_count=len(kept),
    )
    return build(changed, compress(attributes & COMPRESSION, content))


def _record(record: Record, shift_ms: int) -> bytes:
    raw = record.raw
    if shift_ms:
        raw = raw[:1] + encode_varint(record.timestamp_delta + shift_ms) + raw[record.rest :]
    return encode_varint(len(raw)) + raw
