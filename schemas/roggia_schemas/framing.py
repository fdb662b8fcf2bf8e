"""Which schema a value was written with: the Confluent wire format, by prefix and by header.

Prefix: byte 0x00, then the schema id as big-endian int32, then the Avro bytes. Header `__value_schema_id`: 0x01 and
the 16 bytes of the schema's GUID, or 0x00 and the id; the value then holds Avro bytes alone. The header wins when
both are there, as in Confluent's own deserializers.
"""

from __future__ import annotations

import struct
import uuid
from typing import NamedTuple

from roggia_schemas.errors import FramingError
from roggia_schemas.wiretypes import Headers

HEADER = "__value_schema_id"
PREFIX_SIZE = 5
_PREFIX = struct.Struct(">bI")
_GUID_SIZE = 17


class Framed(NamedTuple):
    """Where the Avro bytes of a value start, and the schema they were written with: a positive id or a GUID."""

    start: int
    schema: int | str


def prefix(schema_id: int) -> bytes:
    """The five bytes in front of a value; `schema_id` is 0 to 2^31 - 1."""
    if not 0 <= schema_id < 1 << 31:
        raise FramingError(f"schema id {schema_id} does not fit the wire format; registries number from 1 to 2^31 - 1")
    return _PREFIX.pack(0, schema_id)


def guid_header(guid: str) -> tuple[str, bytes]:
    """The header that names a schema by GUID. Raises `FramingError` when `guid` is not a UUID."""
    return HEADER, b"\x01" + uuid.UUID(canonical_guid(guid)).bytes


def canonical_guid(guid: str) -> str:
    """`guid` in lower case with hyphens. Raises `FramingError` when it is not a UUID."""
    try:
        return str(uuid.UUID(guid))
    except ValueError:
        raise FramingError(f"schema GUID {guid[:64]!r} is not a UUID") from None


def unframe(value: bytes, headers: Headers) -> Framed:
    """Find schema and start of the Avro bytes. Raises `FramingError` when neither framing is there."""
    for name, content in headers:
        if name == HEADER:
            return Framed(0, _from_header(content))
    if len(value) < PREFIX_SIZE:
        raise FramingError(f"value has {len(value)} bytes; the Confluent wire format needs {PREFIX_SIZE} and more")
    magic, schema_id = _PREFIX.unpack_from(value)
    if magic:
        raise FramingError(
            f"value starts with 0x{magic & 0xFF:02x}, not 0x00; publish Avro in the Confluent wire format"
        )
    return Framed(PREFIX_SIZE, schema_id)


def _from_header(content: bytes) -> int | str:
    if len(content) == _GUID_SIZE and content[0] == 1:
        return str(uuid.UUID(bytes=content[1:]))
    if len(content) == PREFIX_SIZE and content[0] == 0:
        return int.from_bytes(content[1:], "big")
    raise FramingError(f"header {HEADER} is {content[:20].hex()}; use 0x01 and a 16-byte GUID, or 0x00 and a 4-byte id")
