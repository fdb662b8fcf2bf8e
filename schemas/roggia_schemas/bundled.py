"""The schemas that this package carries: every released version of every event, newest last.

The `.avsc` files are the only truth. Events are named by the base name of their topic (`doc.changed`).
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

import msgspec

from roggia_schemas.errors import UnknownEventError
from roggia_schemas.wiretypes import Schema

_FIRST_ID = 0x52000000
_FILE = re.compile(r"v([1-9]\d{0,2})\.avsc\Z")
_ROOT = files("roggia_schemas") / "avro"


@cache
def event_names() -> tuple[str, ...]:
    """Every event, sorted by name."""
    return tuple(sorted(folder.name for folder in _ROOT.iterdir() if folder.is_dir()))


@cache
def versions(event_name: str) -> tuple[int, ...]:
    """Released versions of one event, ascending. Raises `UnknownEventError`."""
    if event_name not in event_names():
        raise UnknownEventError(f"event {event_name!r} is not bundled; there are {', '.join(event_names())}")
    found = (_FILE.match(file.name) for file in (_ROOT / event_name).iterdir())
    return tuple(sorted(int(match[1]) for match in found if match))


def schema(event_name: str, version: int | None = None) -> Schema:
    """One schema as parsed JSON, a fresh copy; the newest when `version` is None. Raises `UnknownEventError`."""
    result: Schema = msgspec.json.decode(schema_text(event_name, version), type=dict)
    return result


@cache
def schema_text(event_name: str, version: int | None = None) -> str:
    """One schema as its file has it. Raises `UnknownEventError`."""
    known = versions(event_name)
    number = known[-1] if version is None else version
    if number not in known:
        raise UnknownEventError(f"{event_name} has no version {number}; there are {', '.join(map(str, known))}")
    return (_ROOT / event_name / f"v{number}.avsc").read_text("utf-8")


def subject(topic: str) -> str:
    """Registry subject of a topic's values (TopicNameStrategy)."""
    return f"{topic}-value"


def bundled_id(number: int, version: int) -> int:
    """Schema id used where no registry is: `number` is the event's in the topic catalogue (1 to 65,535).

    The range starts at 0x52000000, far above what a registry counts up to, so that data written without a registry
    stays readable after one is added.
    """
    return _FIRST_ID + (number << 8) + version
