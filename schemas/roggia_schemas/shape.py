"""What a schema cannot say about an event: relations between its fields. Checked on write and on read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from roggia_schemas.events import DocEmbedded
from roggia_schemas.wiretypes import Event


class Problem(NamedTuple):
    """A field, and what is wrong with it."""

    field: str
    message: str


def check_shape(event: Event) -> Problem | None:
    """The first relation that `event` breaks, or None."""
    return _vectors(event) if isinstance(event, DocEmbedded) else None


def _vectors(event: DocEmbedded) -> Problem | None:
    array = event.vectors
    if array.dtype != np.float32 or array.ndim != 1:
        return Problem("vectors", f"is {array.dtype} with {array.ndim} dimensions; use one dimension of float32")
    expected = len(event.chunks) * event.dimension
    if array.size != expected or event.dimension < 0:
        chunks, columns = len(event.chunks), event.dimension
        return Problem("vectors", f"has {array.size} floats; {chunks} chunks of dimension {columns} need {expected}")
    return None
