"""A record schema taken apart for speed: fields before the float array, the array, fields after it.

Logical types are left out on the way (uuid stays text, timestamps stay milliseconds), which halves the cost and
matches what the typed events hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fastavro
import msgspec
from fastavro.schema import SchemaParseException, to_parsing_canonical_form

from roggia_schemas.errors import SchemaError
from roggia_schemas.wiretypes import Schema


@dataclass(frozen=True, slots=True)
class Layout:
    """Parsed parts of one record schema. `array` is the name of its first `array<float>` field, or None.

    Without an array everything is in `before`. `after` is None when nothing follows.
    """

    before: Any
    array: str | None
    after: Any | None


def layout(schema: Schema) -> Layout:
    """Take `schema` (a record) apart. Raises `SchemaError` when it is not valid Avro."""
    plain = without_logical_types(schema)
    fields = plain["fields"]
    place = next((n for n, field in enumerate(fields) if is_float_array(field["type"])), None)
    named: dict[str, Schema] = {}
    if place is None:
        return Layout(parsed(plain, named), None, None)
    before = parsed({**plain, "fields": fields[:place]}, named)
    rest = fields[place + 1 :]
    after = parsed({**plain, "name": plain["name"] + "Rest", "fields": rest}, named) if rest else None
    return Layout(before, fields[place]["name"], after)


def is_float_array(schema: object) -> bool:
    """True for Avro `array<float>`."""
    return isinstance(schema, dict) and schema.get("type") == "array" and schema.get("items") == "float"


def parsed(schema: Schema, named: dict[str, Schema] | None = None) -> Any:
    """fastavro's form of `schema`. `named` carries named types from one part to the next."""
    try:
        return fastavro.parse_schema(schema, named_schemas=named if named is not None else {})
    except (SchemaParseException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SchemaError(f"not a valid Avro schema: {error!r}") from error


def canonical(schema: Schema) -> str:
    """Avro's Parsing Canonical Form: two schemas with the same form have the same bytes."""
    try:
        return str(to_parsing_canonical_form(schema))
    except (SchemaParseException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SchemaError(f"not a valid Avro schema: {error!r}") from error


def without_logical_types(node: Any) -> Any:
    """A copy of a schema in which every logical type is its underlying type."""
    if isinstance(node, list):
        return [without_logical_types(branch) for branch in node]
    if not isinstance(node, dict):
        return node
    if "logicalType" in node and node["type"] in ("string", "long", "int", "bytes"):
        return node["type"]
    return {
        key: without_logical_types(part) if key in _PARTS else part
        for key, part in node.items()
        if key != "logicalType"
    }


_PARTS = frozenset({"type", "items", "values", "fields"})


def loads(text: str) -> Schema:
    """Parse a schema's JSON. Raises `SchemaError` when it is not a record."""
    try:
        schema = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise SchemaError(f"schema is not a JSON object: {error}") from error
    if schema.get("type") != "record" or not isinstance(schema.get("fields"), list):
        raise SchemaError("schema is not a record; an event's value is always one")
    return schema
