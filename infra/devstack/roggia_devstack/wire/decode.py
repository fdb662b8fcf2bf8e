"""Readers compiled from message shapes: bytes of a frame to plain dictionaries, with every length checked.

A decoded message is a dict keyed by the field names of the shape: numbers, str, bytes, UUID, lists and dicts.
Durations are milliseconds. Fields that the request's version lacks are absent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from roggia_devstack.wire.cursor import Cursor
from roggia_devstack.wire.errors import MalformedError
from roggia_devstack.wire.introspect import FieldShape, MessageShape, shape_of

Message = dict[str, Any]
Read = Callable[[Cursor], Any]

_FIXED: dict[str, tuple[Read, int]] = {
    "bool": (Cursor.boolean, 1),
    "int8": (Cursor.int8, 1),
    "int16": (Cursor.int16, 2),
    "error_code": (Cursor.int16, 2),
    "uint16": (Cursor.uint16, 2),
    "int32": (Cursor.int32, 4),
    "timedelta_i32": (Cursor.int32, 4),
    "int64": (Cursor.int64, 8),
    "timedelta_i64": (Cursor.int64, 8),
    "datetime_i64": (Cursor.int64, 8),
    "float64": (Cursor.float64, 8),
    "uuid": (Cursor.uuid, 16),
}


@functools.cache
def reader(message: type) -> Callable[[Cursor], Message]:
    """A reader for a kio message class; it raises `MalformedError` and leaves trailing bytes to its caller."""
    read, _ = _message(shape_of(message))
    return read


def _message(shape: MessageShape) -> tuple[Callable[[Cursor], Message], int]:
    parts = [(field.name, *_field(field, shape.flexible)) for field in shape.fields]
    readers = [(name, read) for name, read, _ in parts]
    smallest = sum(size for _, _, size in parts)
    if not shape.flexible:
        return lambda cursor: {name: read(cursor) for name, read in readers}, smallest
    tagged = {tag: (field.name, _field(field, flexible=True)[0]) for tag, field in shape.tagged.items()}

    def read_flexible(cursor: Cursor) -> Message:
        message = {name: read(cursor) for name, read in readers}
        _read_tags(cursor, tagged, message)
        return message

    return read_flexible, smallest + 1


def _read_tags(cursor: Cursor, known: dict[int, tuple[str, Read]], message: Message) -> None:
    if not known:
        cursor.skip_tags()
        return
    for _ in range(cursor.elements(cursor.uvarint(), 2)):
        tag, size = cursor.uvarint(), cursor.uvarint()
        start = cursor.skip(size)
        if tag not in known:
            continue
        name, read = known[tag]
        outer, cursor.end, cursor.pos = cursor.end, start + size, start
        message[name] = read(cursor)
        if cursor.pos != cursor.end:
            raise MalformedError(f"tagged field {name} has {cursor.end - cursor.pos} bytes left over")
        cursor.end = outer


def _field(field: FieldShape, flexible: bool) -> tuple[Read, int]:
    if field.array:
        element, smallest = _element(field, flexible, nullable=False)
        return _array(element, smallest, field, flexible), 1 if flexible else 4
    return _element(field, flexible, nullable=field.nullable)


def _element(field: FieldShape, flexible: bool, *, nullable: bool) -> tuple[Read, int]:
    if field.message is not None:
        read, smallest = _message(shape_of(field.message))
        return (_optional_message(read), 1) if nullable else (read, smallest)
    kind = field.primitive or ""
    if kind in _FIXED:
        return _FIXED[kind]
    if kind == "string":
        return _sized(Cursor.text, Cursor.int16, field.name, flexible, nullable), 1 if flexible else 2
    return _sized(Cursor.take, Cursor.int32, field.name, flexible, nullable), 1 if flexible else 4


def _optional_message(read: Read) -> Read:
    return lambda cursor: None if cursor.int8() < 0 else read(cursor)


def _sized(take: Callable[[Cursor, int], Any], length: Read, name: str, flexible: bool, nullable: bool) -> Read:
    def read(cursor: Cursor) -> Any:
        size = cursor.uvarint() - 1 if flexible else length(cursor)
        if size >= 0:
            return take(cursor, size)
        if nullable and size == -1:
            return None
        raise MalformedError(f"{name} has length {size}")

    return read


def _array(element: Read, smallest: int, field: FieldShape, flexible: bool) -> Read:
    name, nullable = field.name, field.nullable

    def read(cursor: Cursor) -> list[Any] | None:
        count = cursor.uvarint() - 1 if flexible else cursor.int32()
        if count < 0:
            if nullable and count == -1:
                return None
            raise MalformedError(f"{name} has {count} elements")
        return [element(cursor) for _ in range(cursor.elements(count, smallest))]

    return read
