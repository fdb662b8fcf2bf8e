"""The pages of topics and events, from the catalogue and the schemas."""

from __future__ import annotations

from typing import Any

from roggia_schemas import bundled, topics

TOPICS_INTRO = """# Topics

From the catalogue in `schemas/roggia_schemas/topics/`. Each topic also has a `.dlq`: the same key and partitions, kept
30 days. The machine-readable form is [asyncapi.yaml](asyncapi.yaml).
"""
EVENTS_INTRO = """# Events

From the Avro schemas in `schemas/roggia_schemas/avro/`, newest version of each. Values are framed as Confluent does: a
zero byte, a schema id of four bytes, then Avro. Headers follow CloudEvents' binary mode (`ce_*`) and W3C `traceparent`.
"""


def topics_page() -> str:
    """What each topic is for, who owns it, how it is kept."""
    parts = [TOPICS_INTRO]
    for file in topics.files():
        config = ", ".join(f"`{name}={value}`" for name, value in file.config.items())
        parts.append(
            f"## `{file.topic}`\n\n{file.description.strip()}\n\n"
            f"- event: [`{file.event}`](events.md); key: `{file.key}`; partitions: {file.partitions}\n"
            f"- owner: {file.owner}; written by {', '.join(file.producers)}; read by {', '.join(file.consumers)}\n"
            f"- compatibility: {file.compatibility}\n- {config}\n"
        )
    return "\n".join(parts)


def events_page() -> str:
    """Every field of every event."""
    parts = [EVENTS_INTRO]
    for file in topics.files():
        parts += _record(bundled.schema(file.event), f"`{file.event}`")
    return "\n".join(parts)


def _record(schema: dict[str, Any], title: str) -> list[str]:
    inner: list[str] = []
    rows = []
    for field in schema["fields"]:
        rows.append(f"| `{field['name']}` | {_type(field['type'])} | {_doc(field)} |")
        for nested in _records(field["type"]):
            inner += _record(nested, f"`{nested['name']}`")
    return [
        f"## {title}\n\n{schema.get('doc', '')}\n",
        "| field | type | meaning |",
        "|---|---|---|",
        *rows,
        "",
        *inner,
    ]


def _doc(field: dict[str, Any]) -> str:
    return str(field.get("doc", "")).replace("|", "\\|")


def _records(kind: Any) -> list[dict[str, Any]]:
    if isinstance(kind, list):
        return [found for one in kind for found in _records(one)]
    if isinstance(kind, dict):
        return [kind] if kind["type"] == "record" else _records(kind.get("items", kind.get("values")))
    return []


def _type(kind: Any) -> str:
    if isinstance(kind, list):
        return " or ".join(_type(one) for one in kind)
    if not isinstance(kind, dict):
        return str(kind)
    match kind["type"]:
        case "array":
            return f"array of {_type(kind['items'])}"
        case "map":
            return f"map of {_type(kind['values'])}"
        case "enum":
            return " / ".join(kind["symbols"])
        case "record":
            return str(kind["name"])
        case base:
            return f"{base} ({kind['logicalType']})" if "logicalType" in kind else str(base)
