"""What a topic takes from a client, beyond a sound checksum. Asked once per batch, before it is written."""

from __future__ import annotations

from roggia_devstack.storage.batch import COMPRESSION, CONTROL, HORIZON, Header
from roggia_devstack.storage.config import LogConfig
from roggia_devstack.storage.errors import BatchTooLargeError, DecodeError, InvalidRecordError
from roggia_devstack.storage.records import body, varint

_MAX_COMPRESSION = 4


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
    if config.compact:
        _check_keys(header, batch)


def _check_keys(header: Header, batch: bytes) -> None:
    """Compaction keeps the last record of each key, so every record must have one."""
    try:
        content = body(batch, 0, header)
        at = 0
        for _ in range(header.record_count):
            length, start = varint(content, at)
            at = start + length
            _, key_at = varint(content, start + 1)
            _, key_at = varint(content, key_at)
            if varint(content, key_at)[0] < 0:
                raise InvalidRecordError("a compacted topic takes no record without a key")
        broken = at != len(content)
    except (IndexError, DecodeError):
        broken = True
    if broken:
        raise InvalidRecordError("the batch's records cannot be read")
