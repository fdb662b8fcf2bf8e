"""Record batches of version 2, seen from outside: the 61-byte header, and the batches the broker itself writes.

Layout: https://kafka.apache.org/documentation/#recordbatch. A batch is stored as it came: base offset and leader epoch
lie before the checksummed part and are the only fields that change.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, TypeAlias

from roggia_devstack.storage.crc import crc32c
from roggia_devstack.storage.errors import InvalidBatchError

Bytes: TypeAlias = bytes | bytearray | memoryview

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES = HEADER.size
PREFIX = struct.Struct(">qi")
PREFIX_BYTES = PREFIX.size
UNTIL_CRC = struct.Struct(">qiibI")
CRC_START = 21
_CHECKED = struct.Struct(">hiqqqhii")
_TAIL = HEADER_BYTES - PREFIX_BYTES

COMPRESSION, APPEND_TIME, TRANSACTIONAL, CONTROL, HORIZON = 0x07, 0x08, 0x10, 0x20, 0x40
"""Bits of `attributes`. HORIZON: base_timestamp is the time after which tombstones in the batch may go (KIP-534)."""


class Header(NamedTuple):
    """A batch header. `length` counts the bytes after the length field; timestamps are milliseconds, -1 none."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return self.length + PREFIX_BYTES

    @property
    def last_offset(self) -> int:
        """Offset of the batch's last record (also when compaction has removed it)."""
        return self.base_offset + self.last_offset_delta

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last record; sequences wrap at 2^31."""
        return (self.base_sequence + self.last_offset_delta) & 0x7FFFFFFF

    @property
    def control(self) -> bool:
        """True for a transaction marker."""
        return bool(self.attributes & CONTROL)

    @property
    def transactional(self) -> bool:
        """True for records and markers of a transaction."""
        return bool(self.attributes & TRANSACTIONAL)


def parse(data: Bytes, position: int = 0) -> Header | None:
    """Read the header at `position`; None when the batch does not fit into `data` or is no batch of version 2."""
    if len(data) - position < HEADER_BYTES:
        return None
    header = Header._make(HEADER.unpack_from(data, position))
    whole = _TAIL <= header.length <= len(data) - position - PREFIX_BYTES
    return header if whole and header.magic == 2 and header.last_offset_delta >= 0 else None


def intact(data: Bytes, position: int, header: Header) -> bool:
    """Check the batch's CRC."""
    return crc32c(memoryview(data)[position + CRC_START : position + header.size]) == header.crc


def validated(batch: Bytes) -> Header:
    """Header of a client's bytes: exactly one whole batch with a correct CRC. Raises `InvalidBatchError`."""
    header = parse(batch)
    if header is None or header.size != len(batch):
        raise InvalidBatchError(f"{len(batch)} bytes are not one whole record batch of version 2")
    if not intact(batch, 0, header):
        raise InvalidBatchError(f"the record batch's CRC is not {header.crc:#010x}")
    return header


def build(header: Header, body: Bytes) -> bytes:
    """Make a batch from `header` and its records; length and CRC are computed."""
    checked = _CHECKED.pack(*header[5:]) + body
    length = len(checked) + CRC_START - PREFIX_BYTES
    return UNTIL_CRC.pack(header.base_offset, length, header.leader_epoch, 2, crc32c(checked)) + checked


def marker(producer_id: int, epoch: int, *, commit: bool, now_ms: int) -> bytes:
    """Make the control batch that ends a transaction; its base offset is 0 until it is appended."""
    key, value = struct.pack(">hh", 0, int(commit)), struct.pack(">hi", 0, 0)
    # attributes, timestamp delta, offset delta; key and value with zigzag lengths 4 and 6; no headers
    record = b"\0\0\0" + b"\x08" + key + b"\x0c" + value + b"\0"
    body = bytes([len(record) << 1]) + record
    attributes = TRANSACTIONAL | CONTROL
    return build(Header(0, 0, 0, 2, 0, attributes, 0, now_ms, now_ms, producer_id, epoch, -1, 1), body)
