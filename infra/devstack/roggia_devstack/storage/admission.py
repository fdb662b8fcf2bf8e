"""What a topic takes from a client, beyond a sound checksum. Asked once per batch, before it is written."""

from __future__ import annotations

from collections.abc import Callable

from roggia_devstack.storage.batch import COMPRESSION, CONTROL, HORIZON, Header
from roggia_devstack.storage.config import LogConfig
from roggia_devstack.storage.errors import BatchTooLargeError, DecodeError, InvalidRecordError
from roggia_devstack.storage.records import body, varint

_MAX_COMPRESSION = 4
_SMALLEST_RECORD = 6
"""Attributes, two deltas, the lengths of key and value, the number of headers: a byte each."""


def check(header: Header, batch: bytes, config: LogConfig) -> None:
    """Raise `BatchTooLargeError` or `InvalidRecordError` for a batch that must not be stored."""
    if header.size > config.max_message_bytes:
        raise BatchTooLargeError(f"the batch has {header.size} bytes; max.message.bytes is {config.max_message_bytes}")
    if header.record_count < 1 or header.last_offset_delta != header.record_count - 1:
        raise InvalidRecordError(f"{header.record_count} records with last offset delta {header.last_offset_delta}")
    if header.attributes & (CONTROL | HORIZON):
        raise InvalidRecordError("clients may not write control batches or delete horizons")
    if header.attributes & COMPRESSION > _MAX_COMPRESSION:
        raise InvalidRecordError(f"compression {header.attributes & COMPRESSION} is not known")
    if header.transactional and header.producer_id < 0:
        raise InvalidRecordError("a transactional batch has no producer id")
    _check_records(header, batch, with_keys=config.compact)


def _check_records(header: Header, batch: bytes, *, with_keys: bool) -> None:
    """As many records as the header says, each as long as it says; on a compacted topic each has a key.

    A batch that no consumer could read would stop all of them at its offset.
    """
    try:
        content = body(batch, 0, header)
        end = _end_of_records(content, header.record_count, _with_key if with_keys else None)
    except (IndexError, DecodeError) as error:
        raise InvalidRecordError(f"the batch's records cannot be read: {error}") from None
    if end != len(content):
        raise InvalidRecordError(f"the batch's records end at {end} of {len(content)} bytes")


def _end_of_records(content: bytes, count: int, visit: Callable[[bytes, int], None] | None) -> int:
    """Where the last of `count` records ends. Raises `IndexError` or `DecodeError` for lengths that lie."""
    at = 0
    for _ in range(count):
        byte = content[at]
        if byte < 0x80:
            length, start = (byte >> 1) ^ -(byte & 1), at + 1
        else:
            length, start = varint(content, at)
        if length < _SMALLEST_RECORD:
            raise DecodeError(f"a record has {length} bytes")
        if visit is not None:
            visit(content, start)
        at = start + length
    return at


def _with_key(content: bytes, start: int) -> None:
    _, at = varint(content, start + 1)
    _, at = varint(content, at)
    if varint(content, at)[0] < 0:
        raise InvalidRecordError("a compacted topic takes no record without a key")
