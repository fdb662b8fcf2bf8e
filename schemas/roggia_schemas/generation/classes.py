"""Python classes out of the schemas: the text of `events.py`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from roggia_schemas import bundled
from roggia_schemas.errors import SchemaError
from roggia_schemas.wiretypes import Schema

_HEADER = '''"""Typed events, one frozen class per Avro record.

Generated from schemas/roggia_schemas/avro by roggia_schemas.generate: do not edit.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

import msgspec

from roggia_schemas.wiretypes import Event, Int, Long, Millis, Uuid, Vector, no_vector, same_fields
'''
_PLAIN = {"string": "str", "boolean": "bool", "bytes": "bytes", "int": "Int", "long": "Long", "double": "float"}
_LOGICAL = {"uuid": "Uuid", "timestamp-millis": "Millis"}


def events_module() -> str:
    """The whole module: enums and records in an order in which each is defined before it is used."""
    texts: list[str] = [_HEADER]
    exported: list[str] = []
    for event in bundled.event_names():
        for named in _named_types(bundled.schema(event)):
            exported.append(named["name"])
            top = event if named["name"] == bundled.schema(event)["name"] else None
            texts.append(_enum(named) if named["type"] == "enum" else _record(named, top))
    names = "".join(f'    "{name}",\n' for name in sorted(exported))
    texts.append(
        f'EVENTS: tuple[type[Event], ...] = ({", ".join(_event_classes())})\n__all__ = [\n    "EVENTS",\n{names}]\n'
    )
    return "\n\n".join(texts)


def _event_classes() -> list[str]:
    return [bundled.schema(event)["name"] for event in bundled.event_names()]


def _named_types(node: object) -> Iterator[Schema]:
    """Records and enums of a schema, inner ones first."""
    if isinstance(node, list):
        for branch in node:
            yield from _named_types(branch)
    elif isinstance(node, dict):
        for field in node.get("fields", ()):
            yield from _named_types(field["type"])
        for part in ("items", "values"):
            yield from _named_types(node.get(part))
        if node.get("type") in ("record", "enum"):
            yield node


def _enum(schema: Schema) -> str:
    symbols = "\n".join(f'    {symbol} = "{symbol}"' for symbol in schema["symbols"])
    return f"class {schema['name']}(str, Enum):\n{_docstring(schema['doc'])}\n\n{symbols}\n"


def _record(schema: Schema, event: str | None) -> str:
    fields = "\n".join(_field(field) for field in schema["fields"])
    array = any(_is_vector(field["type"]) for field in schema["fields"])
    options = "frozen=True, kw_only=True" + (", eq=False" if array else "")
    root = "Event" if event else "msgspec.Struct"
    tag = f'    EVENT: ClassVar[str] = "{event}"\n\n' if event else ""
    equal = f"\n{_EQUALITY}" if array else ""
    return f"class {schema['name']}({root}, {options}):\n{_docstring(schema['doc'])}\n\n{tag}{fields}\n{equal}"


_EQUALITY = """    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other)
"""


def _field(field: Schema) -> str:
    default = f" = {_default(field)}" if "default" in field else ""
    return f"    {field['name']}: {_annotation(field['type'])}{default}\n{_docstring(field['doc'])}"


def _annotation(schema: object) -> str:
    if isinstance(schema, list):
        others = [_annotation(branch) for branch in schema if branch != "null"]
        return " | ".join([*others, "None"])
    if isinstance(schema, str) and schema in _PLAIN:
        return _PLAIN[schema]
    if _is_vector(schema):
        return "Vector"
    if isinstance(schema, dict):
        return _composite(schema)
    raise SchemaError(f"no Python type for {schema!r}; teach roggia_schemas.generation.classes about it")


def _composite(schema: Schema) -> str:
    if schema["type"] in ("record", "enum"):
        return str(schema["name"])
    if schema["type"] == "array":
        return f"tuple[{_annotation(schema['items'])}, ...]"
    if schema["type"] == "map":
        return f"dict[str, {_annotation(schema['values'])}]"
    return _LOGICAL.get(schema.get("logicalType", ""), _PLAIN[schema["type"]])


def _default(field: Schema) -> str:
    value = field["default"]
    if _is_vector(field["type"]):
        return "msgspec.field(default_factory=no_vector)"
    if value == {}:
        return "msgspec.field(default_factory=dict)"
    if value == []:
        return "()"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _is_vector(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "array" and schema.get("items") == "float"


def _docstring(text: str) -> str:
    quoted = '"""' + text.replace("\\", "\\\\").replace('"""', "'''")
    if len(quoted) + 7 <= 120 and not quoted.endswith('"'):
        return f'    {quoted}"""'
    body = "\n".join(textwrap.wrap(quoted, 116))
    return textwrap.indent(f'{body}\n"""', "    ")
