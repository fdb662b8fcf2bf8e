"""Events for tests: the catalogue's examples, and Hypothesis strategies made from the schemas themselves."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st
from roggia_schemas import bundled, topics
from roggia_schemas.events import EVENTS
from roggia_schemas.wiretypes import Event

CLASSES: dict[str, type[Event]] = {cls.EVENT: cls for cls in EVENTS}
NAMES = sorted(CLASSES)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "string": _TEXT,
    "bytes": st.binary(max_size=30),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "float": st.floats(width=32, allow_nan=False),
}


def example(name: str) -> Event:
    """The example that the topic catalogue shows for an event."""
    fields = next(file.example for file in topics.files() if file.event == name)
    return event_of(name, fields)


def event_of(name: str, fields: dict[str, Any]) -> Event:
    """An event from plain values, vectors as a list of floats."""
    if "vectors" in fields:
        fields = fields | {"vectors": np.array(fields["vectors"], np.float32)}
    return msgspec.convert(fields, CLASSES[name], builtin_types=(bytes,))


def plain(event: Event) -> dict[str, Any]:
    """An event as Avro libraries give and take it: arrays as lists, maps sorted, vectors as a list of floats."""
    fields = msgspec.to_builtins(event, builtin_types=(bytes, np.ndarray), order="deterministic")
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list | np.ndarray):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, np.floating) else value


@st.composite
def events(draw: st.DrawFn, name: str) -> Event:
    """Any event of one kind that its schema allows."""
    fields = draw(_values(bundled.schema(name)))
    if "vectors" in fields:
        fields["dimension"] = draw(st.integers(0, 5))
        count = len(fields["chunks"]) * fields["dimension"]
        fields["vectors"] = draw(st.lists(_PLAIN["float"], min_size=count, max_size=count))
    return event_of(name, fields)


def any_event() -> st.SearchStrategy[Event]:
    """Any event of any kind."""
    return st.one_of([events(name) for name in NAMES])


def _values(schema: Any) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.one_of([_values(branch) for branch in schema])
    if isinstance(schema, str):
        return _PLAIN[schema]
    if schema.get("logicalType") == "uuid":
        return st.uuids().map(str)
    match schema["type"]:
        case "record":
            return st.fixed_dictionaries({field["name"]: _values(field["type"]) for field in schema["fields"]})
        case "enum":
            return st.sampled_from(schema["symbols"])
        case "array":
            return st.lists(_values(schema["items"]), max_size=3)
        case "map":
            return st.dictionaries(_TEXT, _values(schema["values"]), max_size=3)
        case inner:
            return _values(inner)
