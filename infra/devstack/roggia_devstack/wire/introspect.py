"""What a Kafka message is made of, read from kio's generated dataclasses (their shapes only, never their decoder)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import types
import uuid
from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

REQUIRED: Final = object()
"""Marks a field that a writer must be given."""
_ZERO_WHEN_ABSENT: Final = ("throttle_time", "error_code")


@dataclasses.dataclass(frozen=True, slots=True)
class FieldShape:
    """One field: its primitive type or nested message, and how it may be absent."""

    name: str
    primitive: str | None
    message: type | None
    array: bool
    nullable: bool
    tag: int | None
    default: Any


@dataclasses.dataclass(frozen=True, slots=True)
class MessageShape:
    """A message or a struct inside one, in the order of the wire."""

    name: str
    flexible: bool
    fields: tuple[FieldShape, ...]
    tagged: Mapping[int, FieldShape]


def shape_of(message: type) -> MessageShape:
    """The shape of a kio dataclass."""
    shapes = [_field(field) for field in dataclasses.fields(message)]
    return MessageShape(
        name=message.__name__,
        flexible=bool(getattr(message, "__flexible__")),  # noqa: B009 - kio's classes have no common base to name
        fields=tuple(shape for shape in shapes if shape.tag is None),
        tagged={shape.tag: shape for shape in shapes if shape.tag is not None},
    )


def _field(field: dataclasses.Field[Any]) -> FieldShape:
    kind, nullable = _without_none(field.type)
    array = get_origin(kind) is tuple
    element, element_nullable = _without_none(get_args(kind)[0] if array else kind)
    message = element if isinstance(element, type) and dataclasses.is_dataclass(element) else None
    nullable = nullable or element_nullable
    return FieldShape(
        name=field.name,
        primitive=field.metadata.get("kafka_type"),
        message=message,
        array=array,
        nullable=nullable,
        tag=field.metadata.get("tag"),
        default=_default(field, nullable),
    )


def _without_none(kind: Any) -> tuple[Any, bool]:
    if get_origin(kind) is not types.UnionType:
        return kind, False
    first, second = get_args(kind)
    return (second if first is types.NoneType else first), True


def _default(field: dataclasses.Field[Any], nullable: bool) -> Any:
    if field.default is not dataclasses.MISSING:
        return _plain(field.default)
    if nullable:
        return None
    return 0 if field.name in _ZERO_WHEN_ABSENT else REQUIRED


def _plain(value: Any) -> Any:
    if isinstance(value, dt.timedelta):
        return round(value.total_seconds() * 1000)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, uuid.UUID | bool | str | bytes | tuple) or value is None:
        return value
    return int(value) if isinstance(value, int) else value
