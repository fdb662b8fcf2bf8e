"""Compatibility levels: which versions a new schema is compared with, and in which direction."""

from __future__ import annotations

from collections.abc import Sequence

from roggia_schemas.compat import incompatibilities
from roggia_schemas.errors import SchemaError

from roggia_devstack.registry.errors import InvalidCompatibilityError, InvalidSchemaError

DEFAULT_LEVEL = "BACKWARD"
LEVELS = (
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
)


def check_level(level: object) -> str:
    """Return a level in capitals. Raises `InvalidCompatibilityError`."""
    name = level.upper() if isinstance(level, str) else ""
    if name not in LEVELS:
        raise InvalidCompatibilityError(f"compatibility: {level!r} is not a level; use one of {', '.join(LEVELS)}")
    return name


def check_schema(text: str) -> None:
    """Raise `InvalidSchemaError` when `text` is no Avro schema."""
    try:
        incompatibilities(text, text)
    except SchemaError as error:
        raise InvalidSchemaError(f"schema: {error}") from None


def problems(level: str, candidate: str, versions: Sequence[str]) -> list[str]:
    """Why `candidate` may not follow `versions`, oldest first, at this level; empty when it may."""
    compared = versions if level.endswith("_TRANSITIVE") else versions[-1:]
    found: list[str] = []
    for earlier in reversed(compared):
        if level.startswith(("BACKWARD", "FULL")):
            found += [
                f"the new schema cannot read an earlier one: {why}" for why in incompatibilities(candidate, earlier)
            ]
        if level.startswith(("FORWARD", "FULL")):
            found += [
                f"an earlier schema cannot read the new one: {why}" for why in incompatibilities(earlier, candidate)
            ]
    return found
