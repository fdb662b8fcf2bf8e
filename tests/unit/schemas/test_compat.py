"""Schema evolution: what is allowed as a next version, and what registering does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from roggia_schemas import bundled, compat
from roggia_schemas.errors import SchemaError, UnknownEventError


def changed(event: str, change: Callable[[list[dict[str, Any]]], object]) -> str:
    """The newest schema of `event` after `change` was applied to its fields."""
    schema = bundled.schema(event)
    change(schema["fields"])
    return json.dumps(schema)


def test_released_versions_live_together() -> None:
    """FULL_TRANSITIVE over every pair of versions of every event."""
    assert compat.check_all() == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda fields: fields.append({"name": "extra", "type": "int"}), "extra"),
        (lambda fields: fields.pop(0), "event_id"),
        (lambda fields: fields[2].update(type="int"), "reader type"),
        (lambda fields: fields[7].update(name="epoch_number"), "epoch"),
    ],
    ids=["field without default", "required field removed", "type changed", "field renamed"],
)
def test_breaking_changes_are_found(change: Callable[[list[dict[str, Any]]], object], reason: str) -> None:
    """Each of the usual ways to break consumers or publishers is named."""
    problems = compat.check_candidate("doc.chunked", changed("doc.chunked", change))
    assert problems
    assert any(reason in str(problem) for problem in problems)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.append({"name": "extra", "type": ["null", "int"], "default": None}),
        lambda fields: fields.remove(next(field for field in fields if field["name"] == "metadata")),
        lambda fields: fields[6]["type"]["symbols"].append("ARCHIVE"),
        lambda fields: fields[0].update(doc="other words"),
    ],
    ids=["field with default", "optional field removed", "symbol added to an enum with default", "documentation"],
)
def test_compatible_changes_pass(change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Evolution as the rules allow it is not refused."""
    assert compat.check_candidate("doc.changed", changed("doc.changed", change)) == []


def test_backward_topics_may_drop_what_only_writers_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """With BACKWARD_TRANSITIVE a new version only has to read the older ones."""
    files = [_with(file, "BACKWARD_TRANSITIVE") for file in compat.topics.files()]
    monkeypatch.setattr(compat.topics, "files", lambda: files)
    assert compat.check_candidate("doc.chunked", changed("doc.chunked", lambda fields: fields.pop(0))) == []
    assert compat.check_candidate(
        "doc.chunked", changed("doc.chunked", lambda fields: fields.append({"name": "extra", "type": "int"}))
    )


def test_what_is_no_schema_is_refused() -> None:
    """A candidate that is not Avro, and an event that is not ours."""
    with pytest.raises(SchemaError):
        compat.check_candidate("doc.changed", '{"type": "record", "name": "DocChanged", "fields": [{"name": "x"}]}')
    with pytest.raises(UnknownEventError):
        compat.check_candidate("doc.imagined", bundled.schema_text("doc.changed"))


class MemoryRegistry:
    """A registry that remembers, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    async def set_compatibility(self, subject: str, level: str) -> None:
        """Remember the level."""
        self.calls.append((subject, level))

    async def register(self, subject: str, schema_json: str) -> int:
        """Remember the schema's name; ids count up."""
        self.calls.append((subject, json.loads(schema_json)["name"]))
        return len(self.calls)


async def test_registering_sets_levels_first() -> None:
    """Each subject gets its level once, before its first schema, and every version of it; the default covers every live
    topic and no lane or DLQ."""
    registry = MemoryRegistry()
    done = await compat.register_all(registry)
    assert registry.calls[:2] == [("doc.changed-value", "FULL_TRANSITIVE"), ("doc.changed-value", "DocChanged")]
    assert [step.subject for step, _ in done] == [
        "doc.changed-value",
        "doc.chunked.c1-value",
        "doc.embedded.g1-value",
        "doc.upserted-value",
        "retrieval.served-value",
        "ops.job-value",
        "tenant.config-value",
        *["index.generation-value"] * 2,
        "doc.popularity-value",
        "retrieval.shadowed-value",
        "inference.completed-value",
        "price.changed-value",
        "audit.recorded-value",
        "tenant.usage-value",
        "tenant.budget-value",
        "usage.adjusted-value",
        "audit.alert-value",
        "audit.checkpoint-value",
    ]
    assert [number for _, number in done] == [2, 4, 6, 8, 10, 12, 14, 16, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37]


async def test_registering_chosen_topics() -> None:
    """A new generation is registered by naming its topic."""
    done = await compat.register_all(MemoryRegistry(), ["doc.chunked.c2"])
    assert [step.subject for step, _ in done] == ["doc.chunked.c2-value"]


async def test_nothing_is_registered_while_versions_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose own versions break each other is stopped before the first call."""
    monkeypatch.setattr(compat, "check_all", lambda: [compat.Problem("doc.changed", "v2", "v1", "broken")])
    registry = MemoryRegistry()
    with pytest.raises(SchemaError, match="v2 cannot read what v1 wrote"):
        await compat.register_all(registry)
    assert registry.calls == []


def _with(file: Any, level: str) -> Any:
    return type(file)(**{name: getattr(file, name) for name in file.__struct_fields__} | {"compatibility": level})


@pytest.mark.parametrize("schema", ["", "5", "[" * 5000, '{"type": "record"}', '"nowhere"'])
def test_incompatibilities_refuses_what_is_no_schema(schema: str) -> None:
    """Whatever text comes in, the answer is the package's own error."""
    with pytest.raises(SchemaError, match="not a valid Avro schema"):
        compat.incompatibilities(schema, '"string"')


def test_incompatibilities_knows_any_schema() -> None:
    """Not only records: int promotes to long, not back."""
    assert compat.incompatibilities('"long"', '"int"') == []
    assert compat.incompatibilities('"int"', '"long"')
