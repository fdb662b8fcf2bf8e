"""Record batches seen from inside: the records, for the few tasks that need them (time look-up, compaction, keys)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cramjam

from roggia_devstack.storage.batch import COMPRESSION, HEADER_BYTES, Bytes, Header
from roggia_devstack.storage.errors import DecodeError

_XERIAL_MAGIC = b"\x82SNAPPY\0"
_XERIAL_HEADER = _XERIAL_MAGIC + b"\0\0\0\1\0\0\0\1"
_XERIAL_BLOCK = 32 * 1024


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


def decompress(codec: int, data: bytes) -> bytes:
    """Undo the compression of a batch's records. Raises `DecodeError`."""
    try:
        if codec == 0:
            return data
        if codec == 1:
            return bytes(cramjam.gzip.decompress(data))
        if codec == 2:
            return _unsnappy(data)
        if codec == 3:
            return bytes(cramjam.lz4.decompress(data))
        if codec == 4:
            return bytes(cramjam.zstd.decompress(data))
    except cramjam.DecompressionError as error:
        raise DecodeError(f"compressed records are broken: {error}") from None
    raise DecodeError(f"compression {codec} is not known")


def compress(codec: int, data: bytes) -> bytes:
    """Compress a batch's records as Kafka's clients expect it."""
    if codec == 1:
        return bytes(cramjam.gzip.compress(data))
    if codec == 2:
        return _snappy(data)
    if codec == 3:
        # Kafka's Java client refuses blocks that depend on each other.
        compressor = cramjam.lz4.Compressor(content_checksum=False, block_linked=False)
        compressor.compress(data)
        return bytes(compressor.finish())
    return bytes(cramjam.zstd.compress(data)) if codec == 4 else data


def _snappy(data: bytes) -> bytes:
    out = bytearray(_XERIAL_HEADER)
    for start in range(0, len(data), _XERIAL_BLOCK):
        block = bytes(cramjam.snappy.compress_raw(data[start : start + _XERIAL_BLOCK]))
        out += len(block).to_bytes(4, "big") + block
    return bytes(out)


def _unsnappy(data: bytes) -> bytes:
    if not data.startswith(_XERIAL_MAGIC):
        return bytes(cramjam.snappy.decompress_raw(data))
    out, at = bytearray(), len(_XERIAL_HEADER)
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        out += bytes(cramjam.snappy.decompress_raw(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return bytes(out)
