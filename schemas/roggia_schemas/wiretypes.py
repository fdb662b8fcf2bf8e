"""Types of event fields, as Avro has them: what the generated classes are annotated with.

The bounds are checked whenever an event is encoded or decoded. Ranges that only the domain knows (a revision below
2^53, a non-empty acl) are checked by the service that owns them, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

Headers: TypeAlias = tuple[tuple[str, bytes], ...]
"""Kafka record headers, in order."""

Schema: TypeAlias = dict[str, Any]
"""One Avro schema as parsed from JSON."""

Vector: TypeAlias = npt.NDArray[np.float32]
"""Avro `array<float>`: a flat, read-only float32 array."""

Uuid: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"\A[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\Z")
]
"""RFC 9562 text form."""

Int: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Long: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Millis: TypeAlias = Long
"""Milliseconds since the epoch, UTC."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What every event has. The generated top-level events derive from it."""

    EVENT: ClassVar[str] = ""
    """Name of the event: the base name of its topic."""

    event_id: Uuid
    """Identity of the event; a retry or redelivery repeats it."""
    occurred_at: Millis
    """When what the event tells of happened."""


def no_vector() -> Vector:
    """An empty, read-only vector: what a field of that type holds when nothing was given."""
    return freeze(np.empty(0, np.float32))


def freeze(vector: Vector) -> Vector:
    """Make `vector` read-only in place and return it: events are values."""
    vector.setflags(write=False)
    return vector


def same_fields(one: msgspec.Struct, other: object) -> bool:
    """Equality for structs that hold arrays: arrays by shape and bits' values, everything else by ==."""
    if type(one) is not type(other):
        return False
    return all(_same(getattr(one, name), getattr(other, name)) for name in one.__struct_fields__)


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    return one == other


def path_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """Split msgspec's message into (what is wrong, path of the field without its leading `$.`)."""
    message, _, place = str(error).partition(" - at `")
    head, _, tail = place.partition("$")
    inside = "key of " if head.startswith("key") else ""
    return message, inside + tail.rstrip("`").removeprefix(".")


Fields: TypeAlias = Mapping[str, Any]
"""One record as Avro libraries see it: field name to plain value."""
