"""What the registry keeps."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any

from roggia_devstack.registry.errors import InvalidSchemaError


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema with its id, the same in every subject and for ever. `text` is compact JSON in the order it came."""

    schema_id: int
    text: str
    guid: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a subject. `deleted`: hidden, but still numbered and readable by id."""

    subject: str
    number: int
    schema_id: int
    deleted: bool = False


def canonical(text: str) -> str:
    """Return the schema as compact JSON. Raises `InvalidSchemaError` when it is no JSON."""
    try:
        compact = json.dumps(_value(text), separators=(",", ":"), ensure_ascii=False)
        compact.encode()  # half a surrogate pair cannot be kept
        return compact
    except (ValueError, RecursionError) as error:
        raise InvalidSchemaError(f"schema: not valid JSON ({error}); send an Avro schema as a JSON string") from None


def identity(text: str) -> str:
    """GUID of a schema: equal for texts that differ in white space or in the order of their members only."""
    ordered = json.dumps(_value(text), separators=(",", ":"), sort_keys=True)
    return str(uuid.UUID(bytes=hashlib.md5(ordered.encode(), usedforsecurity=False).digest()))


def _value(text: str) -> Any:
    # A bare name ("string") is a schema too, with or without JSON's quotes.
    return text if text.isidentifier() else json.loads(text)
