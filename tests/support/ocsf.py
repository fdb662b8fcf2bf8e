"""What an OCSF event breaks of the schema's version that ours are pinned to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "golden" / "auditor" / "ocsf-1.8.0-api-activity.json"
RULES: Mapping[str, Any] = json.loads(FILE.read_text())
_PLAIN = {"integer": int, "string": str, "boolean": bool, "object": dict}


def broken(event: Mapping[str, Any]) -> list[str]:
    """Every rule that it breaks: required and unknown attributes, types, constraints, enumerations."""
    found = list(_object(event, RULES["event"], "event"))
    found += [f"{name}: {event[name]}" for name in ("class_uid", "category_uid") if event.get(name) != RULES[name]]
    if event.get("type_uid") != event["class_uid"] * 100 + event["activity_id"]:
        found.append(f"type_uid: {event.get('type_uid')}")
    if event["metadata"]["version"] != RULES["version"]:
        found.append(f"metadata.version: {event['metadata']['version']}")
    return found


def _object(held: Mapping[str, Any], rule: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from (f"{where}.{name}: missing" for name in rule["required"] if name not in held)
    if "at_least_one" in rule and not set(rule["at_least_one"]) & set(held):
        yield f"{where}: none of {rule['at_least_one']}"
    for name, value in held.items():
        if name not in rule["attributes"]:
            yield f"{where}.{name}: unknown"
            continue
        yield from _value(value, rule["attributes"][name], name, f"{where}.{name}")


def _value(value: Any, kind: str, name: str, where: str) -> Iterator[str]:
    if kind.endswith("[]"):
        if not isinstance(value, list):
            yield f"{where}: no list"
            return
        for one in value:
            yield from _value(one, kind.removesuffix("[]"), name, where)
    elif kind in _PLAIN:
        if not isinstance(value, _PLAIN[kind]) or (kind == "integer" and isinstance(value, bool)):
            yield f"{where}: {value!r} is no {kind}"
        elif name in RULES["enums"] and value not in RULES["enums"][name]:
            yield f"{where}: {value!r} is none of {RULES['enums'][name]}"
    elif kind in RULES["objects"]:
        yield from _object(value, RULES["objects"][kind], where)
    else:
        yield f"{where}: the list of rules has no {kind}"
