"""Avro bytes to one event class, whatever schema they were written with."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import fastavro
import msgspec
import numpy as np

from roggia_schemas import bundled, vectors
from roggia_schemas.errors import DecodeError
from roggia_schemas.foreign import wrong_unit
from roggia_schemas.layout import Layout, canonical, is_float_array, layout, loads, parsed, without_logical_types
from roggia_schemas.shape import check_shape
from roggia_schemas.wiretypes import Event, freeze, path_of

_BROKEN = (
    EOFError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
    AttributeError,
    RecursionError,
    StopIteration,
    fastavro.read.SchemaResolutionError,
)
"""What fastavro raises on bytes that are not the record: whatever its inner loops run into."""


class Reader(Protocol):
    """Reads one event class from one writer schema."""

    def decode(self, value: bytes, start: int) -> Event:
        """The event in `value` from `start` to its end. Raises `DecodeError`."""
        ...


@dataclass(frozen=True, slots=True)
class DirectReader:
    """The writer's schema is the newest bundled one: no resolution, and float arrays by memcpy."""

    cls: type[Event]
    layout: Layout
    enums: tuple[tuple[str, tuple[str, ...]], ...]

    def decode(self, value: bytes, start: int) -> Event:
        """See `Reader`."""
        stream = io.BytesIO(value)
        stream.seek(start)
        try:
            fields: Any = fastavro.schemaless_reader(stream, self.layout.before, None)
            if self.layout.array is not None:
                fields[self.layout.array], end = vectors.read(value, stream.tell())
                stream.seek(end)
            if self.layout.after is not None:
                fields |= fastavro.schemaless_reader(stream, self.layout.after, None)
            for name, symbols in self.enums:
                fields[name] = _symbol(name, symbols, fields[name])
        except _BROKEN as error:
            raise _unreadable(self.cls, error) from error
        _check_end(self.cls, value, stream)
        return _typed(self.cls, fields)


@dataclass(frozen=True, slots=True)
class ResolvingReader:
    """The writer's schema is another one: an older version's, or a publisher's own."""

    cls: type[Event]
    written: Any
    wanted: Any
    arrays: tuple[str, ...]

    def decode(self, value: bytes, start: int) -> Event:
        """See `Reader`."""
        stream = io.BytesIO(value)
        stream.seek(start)
        try:
            fields: Any = fastavro.schemaless_reader(stream, self.written, self.wanted)
            for name in self.arrays:
                fields[name] = freeze(np.array(fields[name], np.float32))
        except _BROKEN as error:
            raise _unreadable(self.cls, error) from error
        _check_end(self.cls, value, stream)
        return _typed(self.cls, fields)


def reader(cls: type[Event], schema_json: str) -> Reader:
    """The reader of `cls` for values written with `schema_json`.

    Raises `DecodeError` when that is another record, or has other units than the event.
    """
    own = bundled.schema(cls.EVENT)
    written = loads(schema_json)
    if wrong := wrong_unit(written, own):
        raise DecodeError(cls.EVENT, wrong.message, wrong.field)
    if canonical(written) == _own_form(cls):
        return _direct(cls)
    if written.get("name", "").rpartition(".")[2] != own["name"]:
        raise DecodeError(cls.EVENT, f"written as {written.get('name')!r}; publish {own['name']} events on this topic")
    arrays = tuple(field["name"] for field in own["fields"] if is_float_array(field["type"]))
    return ResolvingReader(cls, parsed(without_logical_types(written)), parsed(without_logical_types(own)), arrays)


@cache
def _direct(cls: type[Event]) -> DirectReader:
    """Top-level enums are read as their index: fastavro would take a negative one for a symbol from the end."""
    own = bundled.schema(cls.EVENT)
    enums = tuple((f["name"], tuple(f["type"]["symbols"])) for f in own["fields"] if _is_enum(f["type"]))
    fields = [field | {"type": "int"} if _is_enum(field["type"]) else field for field in own["fields"]]
    return DirectReader(cls, layout(own | {"fields": fields}), enums)


def _is_enum(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "enum"


def _symbol(field: str, symbols: tuple[str, ...], index: int) -> str:
    if not 0 <= index < len(symbols):
        raise ValueError(f"{field}: {index} is not the index of a symbol; there are {len(symbols)}")
    return symbols[index]


@cache
def _own_form(cls: type[Event]) -> str:
    return canonical(bundled.schema(cls.EVENT))


def _typed(cls: type[Event], fields: Any) -> Event:
    try:
        event = msgspec.convert(fields, cls, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        message, field = path_of(error)
        raise DecodeError(cls.EVENT, message, field) from None
    if problem := check_shape(event):
        raise DecodeError(cls.EVENT, problem.message, problem.field)
    return event


def _check_end(cls: type[Event], value: bytes, stream: io.BytesIO) -> None:
    rest = len(value) - stream.tell()
    if rest:
        raise DecodeError(cls.EVENT, f"{rest} bytes follow the record; publish exactly one record per value")


def _unreadable(cls: type[Event], error: BaseException) -> DecodeError:
    return DecodeError(cls.EVENT, f"the Avro bytes do not match their schema ({type(error).__name__}: {error})"[:500])
