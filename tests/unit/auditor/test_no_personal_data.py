"""No field of an audit event can hold personal data by design: every one is on a list, with what it may hold."""

from __future__ import annotations

import pytest
from roggia_schemas import bundled

EVENTS = ("inference.completed", "audit.recorded", "tenant.usage", "tenant.budget", "usage.adjusted", "price.changed")
IDS = {
    "event_id", "ref_event_id", "source_event_id", "tenant_id", "request_id", "response_id", "trace_id", "hold_id",
    "key_id", "chunk_id", "doc_id",
}  # fmt: skip
"""Chosen by machines or, for doc_id and tenant_id, by a publisher under the rules of the publisher's guide."""
PSEUDONYMS = {"subject", "arguments_hash"}
"""Keyed hashes: their documentation must say so."""
NAMES = {
    "provider", "model", "model_version", "tier", "upstream", "name", "version", "variant", "domain", "collection",
    "policy_version", "detectors_version", "price_version", "old_price_version", "source", "log", "time_zone",
    "finish_reason", "outcome",
}  # fmt: skip
"""Of things that operators and providers have named."""
TIMES = {"day", "period", "original_period"}
HASHES = {"leaf_hash", "sha256"}
OPERATORS = {"by", "why", "reason"}
"""Of an operator's own act, or of the auditor's own words: never of a customer."""
TEXTS = IDS | PSEUDONYMS | NAMES | TIMES | HASHES | OPERATORS
MAPS = {"counts": "long", "pico_usd": "long"}
NUMBERS = {"int", "long", "float", "double", "boolean", "null"}


def fields(schema: object) -> list[tuple[str, str, str]]:
    """Every field of a record and of those in it: name, kinds, documentation."""
    found = []
    if isinstance(schema, list):
        return [one for part in schema for one in fields(part)]
    if not isinstance(schema, dict):
        return []
    for one in schema.get("fields", ()):
        found += [(one["name"], kind, one.get("doc", "")) for kind in kinds(one["type"])]
        found += fields(one["type"])
    if schema.get("type") == "array":
        found += fields(schema["items"])
    return found


def kinds(schema: object) -> list[str]:
    """What a field's values are: text, number, enum, map of something, record."""
    if isinstance(schema, list):
        return [kind for part in schema for kind in kinds(part)]
    if isinstance(schema, str):
        return ["number" if schema in NUMBERS else schema]
    assert isinstance(schema, dict)
    if schema["type"] == "array":
        return kinds(schema["items"])
    if schema["type"] == "map":
        return [f"map of {schema['values']}"]
    return kinds(schema["type"]) if schema["type"] not in {"record", "enum"} else [schema["type"]]


@pytest.mark.parametrize("event", EVENTS)
def test_every_text_is_on_the_list(event: str) -> None:
    """A new field of text, bytes or map is refused until somebody has said here what it may hold."""
    for version in bundled.versions(event):
        found = fields(bundled.schema(event, version))
        assert found
        for name, kind, _ in found:
            if kind in {"number", "enum", "record"}:
                continue
            if kind.startswith("map of "):
                assert MAPS.get(name) == kind.removeprefix("map of "), f"{event}.{name}: a {kind} is not on the list"
                continue
            assert kind == "string", f"{event}.{name}: {kind} could hold anything"
            assert name in TEXTS, f"{event}.{name}: a text that is not on the list"


def test_pseudonyms_are_keyed() -> None:
    """A plain hash of a person's name is found by trying names: each pseudonym says that it has a key."""
    found = {name: doc for event in EVENTS for name, _, doc in fields(bundled.schema(event)) if name in PSEUDONYMS}
    assert set(found) == PSEUDONYMS
    assert "keyed" in found["subject"]
    assert "HMAC" in found["arguments_hash"]


def test_nothing_on_the_list_is_unused() -> None:
    """What no event has any more is no longer allowed."""
    used = {name for event in EVENTS for name, kind, _ in fields(bundled.schema(event)) if kind == "string"}
    assert used == TEXTS
