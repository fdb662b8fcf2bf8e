"""Record batches seen from inside: the records, for the few tasks that need them (time look-up, compaction, keys)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from roggia_devstack.storage.batch import COMPRESSION, HEADER_BYTES, Bytes, Header
from roggia_devstack.storage.compression import decompress
from roggia_devstack.storage.errors import DecodeError


class Record(NamedTuple):
    """One record. `raw` is its body from the first byte after its length; `rest` is where the offset delta starts."""

    timestamp_delta: int
    offset_delta: int
    key: bytes | None
    tombstone: bool
    raw: bytes
    rest: int


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a zigzag varint; return it and the position after it. Raises `IndexError` at the end of `data`."""
    byte = data[position]
    position += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position
    value, shift = byte & 0x7F, 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 63:
            raise DecodeError("a varint is longer than ten bytes")


def encode_varint(value: int) -> bytes:
    """Write a zigzag varint of a 64-bit integer."""
    rest = ((value << 1) ^ (value >> 63)) & 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def body(data: Bytes, position: int, header: Header) -> bytes:
    """Return the uncompressed records of the batch at `position`. Raises `DecodeError`."""
    packed = bytes(memoryview(data)[position + HEADER_BYTES : position + header.size])
    return decompress(header.attributes & COMPRESSION, packed)


def records(data: Bytes, position: int, header: Header) -> Iterator[Record]:
    """Yield the records of the batch at `position`. Raises `DecodeError` where they are broken."""
    content = body(data, position, header)
    at = 0
    try:
        for _ in range(header.record_count):
            length, at = varint(content, at)
            if not 0 < length <= len(content) - at:
                raise DecodeError(f"a record has {length} bytes")
            yield _record(content[at : at + length])
            at += length
    except IndexError:
        raise DecodeError("a record ends inside a field") from None


def is_commit(data: Bytes, position: int, header: Header) -> bool:
    """Say whether the marker at `position` commits its transaction. Raises `DecodeError`."""
    key = next(records(data, position, header)).key
    return key is not None and key[2:4] == b"\0\1"


def _record(raw: bytes) -> Record:
    timestamp, rest = varint(raw, 1)
    offset, at = varint(raw, rest)
    size, at = varint(raw, at)
    key = raw[at : at + size] if size >= 0 else None
    if key is not None:
        at += size
        if len(key) < size:
            raise DecodeError(f"a key has {size} bytes")
    size, _ = varint(raw, at)
    return Record(timestamp, offset, key, size < 0, raw, rest)
