"""Avro `array<float>` at memcpy speed.

An Avro record is the concatenation of its fields, and an array of floats is blocks of (count, raw little-endian
float32) closed by a zero count. So the block is written and read here by hand, byte-identical to what an Avro library
writes, instead of one Python float at a time.
"""

from __future__ import annotations

import numpy as np

from roggia_schemas.wiretypes import Vector, freeze, no_vector

_FLOAT = np.dtype("<f4")
_END = b"\x00"
_MAX_VARINT = 10


def block(vector: Vector) -> bytes:
    """Avro bytes of a flat float32 array."""
    if not vector.size:
        return _END
    return b"".join((_varint(vector.size), vector.astype(_FLOAT, copy=False).tobytes(), _END))


def read(value: bytes, start: int) -> tuple[Vector, int]:
    """Read an array of floats at `start`: the values, aligned and read-only, and where the next field starts.

    Takes several blocks and negative counts (a count followed by the block's size in bytes). Raises `ValueError`
    when the bytes end early or a block's size is not its count.
    """
    parts: list[Vector] = []
    while True:
        count, start = _read_varint(value, start)
        if not count:
            return _joined(parts), start
        if count < 0:
            size, start = _read_varint(value, start)
            count = -count
            if size != count * _FLOAT.itemsize:
                raise ValueError(f"a block of {count} floats cannot have {size} bytes")
        if count * _FLOAT.itemsize > len(value) - start:
            raise ValueError(f"{count} floats do not fit the {len(value) - start} bytes that are left")
        parts.append(np.frombuffer(value, _FLOAT, count, start))
        start += count * _FLOAT.itemsize


def _joined(parts: list[Vector]) -> Vector:
    if not parts:
        return no_vector()
    joined = parts[0].copy() if len(parts) == 1 else np.concatenate(parts)
    return freeze(joined.astype(np.float32, copy=False))


def _varint(count: int) -> bytes:
    rest, out = count << 1, bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _read_varint(value: bytes, start: int) -> tuple[int, int]:
    number = 0
    for place, byte in enumerate(value[start : start + _MAX_VARINT]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), start + place + 1
    raise ValueError("the count of a block is cut off or too long")
