"""Compressed records, in the forms that Kafka's clients use; what comes out of them is bounded.

A few kilobytes can be the compressed form of gigabytes: decompression writes into a buffer of `MAX_BYTES` at most, and
a length that the data claims to have is checked before anything is made of it.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Final

import cramjam

from roggia_devstack.storage.errors import DecodeError

MAX_BYTES: Final = 64 << 20
"""Most bytes that the records of one batch may have uncompressed."""
_FIRST_GUESS: Final = 1 << 16
_XERIAL_MAGIC = b"\x82SNAPPY\0"
_XERIAL_HEADER = _XERIAL_MAGIC + b"\0\0\0\1\0\0\0\1"
_XERIAL_BLOCK = 32 * 1024
_INTO: Final[dict[int, Callable[[bytes, mmap.mmap], int]]] = {
    1: cramjam.gzip.decompress_into,
    3: cramjam.lz4.decompress_into,
    4: cramjam.zstd.decompress_into,
}


def decompress(codec: int, data: bytes) -> bytes:
    """Undo the compression of a batch's records. Raises `DecodeError`, also for more than `MAX_BYTES`."""
    if codec == 0:
        return data
    if codec not in {1, 2, 3, 4}:
        raise DecodeError(f"compression {codec} is not known")
    try:
        return _unsnappy(data) if codec == 2 else _bounded(_INTO[codec], data)
    except (cramjam.DecompressionError, ValueError) as error:
        raise DecodeError(f"compressed records are broken, or larger than {MAX_BYTES} bytes: {error}") from None


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


def _bounded(decompress_into: Callable[[bytes, mmap.mmap], int], data: bytes) -> bytes:
    """Decompress into memory that the kernel provides page by page as it is written to."""
    guess = min(_FIRST_GUESS + 16 * len(data), MAX_BYTES)
    try:
        return _into(decompress_into, data, guess)
    except cramjam.DecompressionError:
        if guess == MAX_BYTES:
            raise
        return _into(decompress_into, data, MAX_BYTES)


def _into(decompress_into: Callable[[bytes, mmap.mmap], int], data: bytes, room: int) -> bytes:
    with mmap.mmap(-1, room) as out:
        return out[: decompress_into(data, out)]


def _snappy(data: bytes) -> bytes:
    out = bytearray(_XERIAL_HEADER)
    for start in range(0, len(data), _XERIAL_BLOCK):
        block = bytes(cramjam.snappy.compress_raw(data[start : start + _XERIAL_BLOCK]))
        out += len(block).to_bytes(4, "big") + block
    return bytes(out)


def _unsnappy(data: bytes) -> bytes:
    if not data.startswith(_XERIAL_MAGIC):
        return _unsnappy_block(data, MAX_BYTES)
    out, at = bytearray(), len(_XERIAL_HEADER)
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        out += _unsnappy_block(data[at + 4 : at + 4 + size], MAX_BYTES - len(out))
        at += 4 + size
    return bytes(out)


def _unsnappy_block(data: bytes, room: int) -> bytes:
    claimed = int(cramjam.snappy.decompress_raw_len(data))
    if claimed > room:
        raise DecodeError(f"a block says that it has {claimed} bytes; {room} are allowed")
    return bytes(cramjam.snappy.decompress_raw(data))
