"""What a model server answered, as unit vectors; refused unless it is one vector of the right size for every text.
And what it says that this took."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from roggia_embedder.errors import EmbedderError
from roggia_embedder.ports import Matrix

_MOST_TOKENS = 10**9
"""What an auditor takes for one call at most (`roggia_auditor.pricing.classes`); beyond it a count is a mistake."""


def in_order(items: Any, where: str) -> list[Any]:
    """The `embedding` of each item of OpenAI's `data`, by `index`: servers may answer in any order.

    Raises `EmbedderError` when an index is missing or there twice, or the form is another.
    """
    try:
        held = {int(item["index"]): item["embedding"] for item in items}
        if len(held) == len(items):
            return [held[index] for index in range(len(items))]
    except (LookupError, TypeError, ValueError) as error:
        raise EmbedderError(f"{where}: the answer is not of OpenAI's form: {error!r}") from error
    raise EmbedderError(f"{where}: the answer has an index twice")


def unit_rows(vectors: Any, count: int, dimension: int, where: str) -> Matrix:
    """`count` unit vectors of `dimension` numbers, each given as numbers or as base64 of little-endian float32.

    Raises `EmbedderError` that says what was given instead.
    """
    if not isinstance(vectors, Sequence) or isinstance(vectors, str):
        raise EmbedderError(f"{where}: gave {type(vectors).__name__}, not a list of vectors")
    if len(vectors) != count:
        raise EmbedderError(f"{where}: gave {len(vectors)} vectors for {count} texts")
    try:
        rows = [_numbers(vector) for vector in vectors]
    except (TypeError, ValueError) as error:
        raise EmbedderError(f"{where}: gave a vector that is not numbers: {error}") from error
    wrong = next((row.shape for row in rows if row.shape != (dimension,)), None)
    if wrong is not None:
        raise EmbedderError(f"{where}: gave a vector of shape {wrong}, not {dimension} numbers as the settings say")
    matrix = np.array(rows, np.float32).reshape(count, dimension)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise EmbedderError(f"{where}: gave a vector without a direction (zeros, infinite or not a number)")
    unit: Matrix = matrix / lengths
    return unit


def tokens_told(told: Any) -> int | None:
    """What a server says that an answer took, as a number or its digits; None where it says nothing, or nonsense."""
    try:
        found = int(told)
    except (TypeError, ValueError):
        return None
    return found if 0 <= found <= _MOST_TOKENS and not isinstance(told, bool | float) else None


def _numbers(vector: Any) -> Matrix:
    if isinstance(vector, str):
        return np.frombuffer(base64.b64decode(vector, validate=True), "<f4")
    return np.asarray(vector, np.float32)
