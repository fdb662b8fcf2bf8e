"""Writer schemas that did not come with this package: what is refused before any value is read with them.

A registry's schemas are more trusted than values, yet a value must never be able to hang or crash its reader. So a
schema that lets a few bytes stand for unbounded work is refused once, here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from roggia_schemas.errors import SchemaError
from roggia_schemas.layout import parsed
from roggia_schemas.wiretypes import Schema

_SIMPLE = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_MAX_DEPTH = 32


def check_foreign(schema: Schema) -> None:
    """Refuse what is not Avro, refers to itself, nests too deeply, or has arrays of items without bytes.

    Raises `SchemaError`.
    """
    parsed(schema)
    _Walk().check(schema, ())


class WrongUnit(NamedTuple):
    """A field, and which logical type it has and should have."""

    field: str
    message: str


def wrong_unit(written: Schema, own: Schema) -> WrongUnit | None:
    """The first field whose logical type is another one than ours: microseconds read as milliseconds are silent.

    Avro's resolution ignores logical types. A field that names none is taken as ours.
    """
    ours = dict(_logical_types(own, ""))
    for path, kind in _logical_types(written, ""):
        if ours.get(path, kind) != kind:
            return WrongUnit(path, f"is written as {kind}; use {ours[path]}")
    return None


class _Walk:
    """One pass over a valid schema."""

    def __init__(self) -> None:
        self._empty: dict[str, bool] = {}

    def check(self, node: Any, above: tuple[str, ...]) -> bool:
        """True when a value of `node` can take zero bytes. `above` names the records around it."""
        if len(above) > _MAX_DEPTH:
            raise SchemaError(f"schema nests more than {_MAX_DEPTH} levels")
        if isinstance(node, list):
            for branch in node:
                self.check(branch, (*above, "union"))
            return False
        if isinstance(node, str):
            return self._named(node, above)
        return self._composite(node, above)

    def _named(self, name: str, above: tuple[str, ...]) -> bool:
        if name in _SIMPLE:
            return name == "null"
        short = name.rpartition(".")[2]
        if short in above:
            raise SchemaError(f"type {name} contains itself; events are flat")
        return self._empty.get(short, False)

    def _composite(self, node: Schema, above: tuple[str, ...]) -> bool:
        kind = node["type"]
        if kind == "record":
            name = str(node["name"]).rpartition(".")[2]
            widths = [self.check(field["type"], (*above, name)) for field in node["fields"]]
            self._empty[name] = all(widths)
            return self._empty[name]
        if kind in ("array", "map"):
            empty = self.check(node["items" if kind == "array" else "values"], (*above, "array"))
            if empty and kind == "array":
                raise SchemaError("an array's items take no bytes, so a few bytes could claim any number of them")
            return False
        if kind == "fixed":
            return bool(node["size"] == 0)
        return False if kind == "enum" else self.check(kind, (*above, "type"))


def _logical_types(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for branch in node:
            yield from _logical_types(branch, path)
    elif isinstance(node, dict):
        if "logicalType" in node:
            yield path, node["logicalType"]
        for field in node.get("fields", ()):
            yield from _logical_types(field["type"], f"{path}.{field['name']}".removeprefix("."))
        for part in ("items", "values"):
            yield from _logical_types(node.get(part), f"{path}[]")
