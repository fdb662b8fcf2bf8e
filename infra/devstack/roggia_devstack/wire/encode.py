"""Writers compiled from message shapes: plain dictionaries to bytes.

A handler gives every field that some version has; a version's writer takes the fields that it knows and ignores the
rest. A field without a default that is missing is a bug and raises KeyError.
"""

from __future__ import annotations

import functools
import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from roggia_devstack.wire.decode import Message
from roggia_devstack.wire.introspect import REQUIRED, FieldShape, MessageShape, shape_of

Write = Callable[[bytearray, Any], None]

_FORMATS: Final = {
    "bool": ">?",
    "int8": ">b",
    "int16": ">h",
    "error_code": ">h",
    "uint16": ">H",
    "int32": ">i",
    "timedelta_i32": ">i",
    "int64": ">q",
    "timedelta_i64": ">q",
    "datetime_i64": ">q",
    "float64": ">d",
}
_NO_UUID: Final = bytes(16)


def write_uvarint(out: bytearray, value: int) -> None:
    """Unsigned, seven bits a byte."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


@functools.cache
def writer(message: type) -> Write:
    """A writer for a kio message class: appends the encoded dict to a bytearray."""
    return _message(shape_of(message))


def _message(shape: MessageShape) -> Write:
    parts = [(field.name, field.default, _field(field, shape.flexible)) for field in shape.fields]
    tagged = [(tag, field.name, _field(field, flexible=True)) for tag, field in sorted(shape.tagged.items())]
    flexible = shape.flexible

    def write(out: bytearray, value: Message) -> None:
        for name, default, put in parts:
            put(out, value[name] if default is REQUIRED else value.get(name, default))
        if flexible:
            _write_tags(out, tagged, value)

    return write


def _write_tags(out: bytearray, tagged: Sequence[tuple[int, str, Write]], value: Message) -> None:
    present = [(tag, put, value[name]) for tag, name, put in tagged if value.get(name) is not None]
    write_uvarint(out, len(present))
    for tag, put, item in present:
        body = bytearray()
        put(body, item)
        write_uvarint(out, tag)
        write_uvarint(out, len(body))
        out += body


def _field(field: FieldShape, flexible: bool) -> Write:
    if not field.array:
        return _element(field, flexible, nullable=field.nullable)
    element = _element(field, flexible, nullable=False)
    length = _compact_length if flexible else _length(">i")

    def write(out: bytearray, values: Sequence[Any] | None) -> None:
        if values is None:
            length(out, -1)
            return
        length(out, len(values))
        for value in values:
            element(out, value)

    return write


def _element(field: FieldShape, flexible: bool, *, nullable: bool) -> Write:
    if field.message is not None:
        write = _message(shape_of(field.message))
        return _optional_message(write) if nullable else write
    kind = field.primitive or ""
    if kind in _FORMATS:
        return _number(struct.Struct(_FORMATS[kind]))
    if kind == "uuid":
        return _write_uuid
    if kind == "string":
        return _text(_compact_length if flexible else _length(">h"))
    return _bytes(_compact_length if flexible else _length(">i"))


def _optional_message(write: Write) -> Write:
    def write_optional(out: bytearray, value: Message | None) -> None:
        if value is None:
            out.append(0xFF)
            return
        out.append(1)
        write(out, value)

    return write_optional


def _number(layout: struct.Struct) -> Write:
    pack = layout.pack

    def write(out: bytearray, value: Any) -> None:
        out += pack(value)

    return write


def _write_uuid(out: bytearray, value: uuid.UUID | None) -> None:
    out += _NO_UUID if value is None else value.bytes


def _compact_length(out: bytearray, size: int) -> None:
    write_uvarint(out, size + 1)


def _length(layout: str) -> Callable[[bytearray, int], None]:
    pack = struct.Struct(layout).pack

    def write(out: bytearray, size: int) -> None:
        out += pack(size)

    return write


def _text(length: Callable[[bytearray, int], None]) -> Write:
    def write(out: bytearray, value: str | None) -> None:
        if value is None:
            length(out, -1)
            return
        encoded = value.encode()
        length(out, len(encoded))
        out += encoded

    return write


def _bytes(length: Callable[[bytearray, int], None]) -> Write:
    def write(out: bytearray, value: bytes | None) -> None:
        if value is None:
            length(out, -1)
            return
        length(out, len(value))
        out += value

    return write
