"""One event class to Avro bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn
from uuid import UUID

import fastavro
import msgspec
import numpy as np

from roggia_schemas import bundled, vectors
from roggia_schemas.errors import EncodeError
from roggia_schemas.layout import Layout, layout
from roggia_schemas.shape import check_shape
from roggia_schemas.wiretypes import Event, path_of

_KEPT = (bytes, np.ndarray, UUID, datetime, date, time, timedelta, Decimal)
"""Left as they are when an event is taken apart: bytes and arrays to be written, the others to be refused by name."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one event class in its newest version. Made by `writer`."""

    cls: type[Event]
    layout: Layout

    def encode(self, event: Event, head: bytes) -> bytes:
        """`head` followed by the event's Avro bytes. Raises `EncodeError` naming the field."""
        fields = self._checked(event)
        out = io.BytesIO()
        out.write(head)
        try:
            fastavro.schemaless_writer(out, self.layout.before, fields)
            if self.layout.array is not None:
                out.write(vectors.block(fields[self.layout.array]))
            if self.layout.after is not None:
                fastavro.schemaless_writer(out, self.layout.after, fields)
        except UnicodeEncodeError as error:
            self._refuse_text(fields, error)
        return out.getvalue()

    def _checked(self, event: Event) -> dict[str, Any]:
        """The event as plain values, every one of them checked against its field's type."""
        try:
            fields: dict[str, Any] = _taken_apart(event)
            msgspec.convert(fields, self.cls, builtin_types=(bytes,))
        except msgspec.ValidationError as error:
            message, field = path_of(error)
            raise EncodeError(self.cls.EVENT, message, field) from None
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise EncodeError(self.cls.EVENT, str(error), _untakeable(event)) from error
        if problem := check_shape(event):
            raise EncodeError(self.cls.EVENT, problem.message, problem.field)
        return fields

    def _refuse_text(self, fields: dict[str, Any], error: UnicodeEncodeError) -> NoReturn:
        path = _unencodable(fields, "")
        raise EncodeError(self.cls.EVENT, "holds a lone surrogate, which UTF-8 cannot carry", path) from error


@cache
def writer(cls: type[Event]) -> Writer:
    """The writer of an event class."""
    return Writer(cls, layout(bundled.schema(cls.EVENT)))


def _taken_apart(value: Any) -> Any:
    """Plain values in a fixed order: maps sorted by key, so that equal events have equal bytes."""
    return msgspec.to_builtins(value, builtin_types=_KEPT, order="deterministic")


def _untakeable(event: Event) -> str:
    """Name of the field that holds something foreign to Avro, or an empty string."""
    for name in event.__struct_fields__:
        try:
            _taken_apart(getattr(event, name, None))
        except (TypeError, ValueError, OverflowError, RecursionError):
            return name
    return ""


def _unencodable(node: Any, path: str) -> str:
    """Path of the first text below `node` that is not valid Unicode, or an empty string."""
    if isinstance(node, dict):
        found = (
            _unencodable(key, f"key of {path}") or _unencodable(part, f"{path}.{key}") for key, part in node.items()
        )
    elif isinstance(node, list | tuple):
        found = (_unencodable(part, f"{path}[{place}]") for place, part in enumerate(node))
    elif isinstance(node, str):
        return path.removeprefix(".") if any("\ud800" <= letter <= "\udfff" for letter in node) else ""
    else:
        return ""
    return next(filter(None, found), "")
