"""The schemas in the package and what is generated from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from roggia_schemas import bundled, events, generate, topics
from roggia_schemas.errors import UnknownEventError

from tests.support.events import NAMES


def test_nothing_generated_is_stale() -> None:
    """events.py and asyncapi.yaml are what the schemas and the catalogue say."""
    assert generate.drift() == []


def test_drift_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A generated file that differs makes --check fail and is named."""
    path, text = next(iter(generate.outputs()))
    monkeypatch.setattr(generate, "outputs", lambda: iter([(path, text + "\n")]))
    assert generate.main(["--check"]) == 1
    assert "events.py is stale" in capsys.readouterr().err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown option is refused with the usage and status 2."""
    assert generate.main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_every_type_and_field_is_documented(name: str) -> None:
    """A schema is read by people of other systems: no record, enum or field without words."""
    assert list(_undocumented(bundled.schema(name))) == []


@pytest.mark.parametrize("name", NAMES)
def test_schemas_stand_alone(name: str) -> None:
    """Self-contained, one record each, far below the 128 KB that registries advise."""
    assert bundled.schema(name)["type"] == "record"
    assert len(bundled.schema_text(name)) < 64_000
    assert bundled.versions(name)[0] == 1


def test_unknown_events_and_versions_are_refused() -> None:
    """The error lists what there is."""
    with pytest.raises(UnknownEventError, match=r"doc\.changed"):
        bundled.schema("doc.imagined")
    with pytest.raises(UnknownEventError, match="no version 99"):
        bundled.schema("doc.changed", 99)


def test_a_schema_can_be_changed_by_its_reader() -> None:
    """Each call gives a copy of its own."""
    bundled.schema("doc.changed")["name"] = "Spoilt"
    assert bundled.schema("doc.changed")["name"] == "DocChanged"


def test_subject_names_the_topic() -> None:
    """TopicNameStrategy."""
    assert bundled.subject(topics.doc_chunked(2)) == "doc.chunked.c2-value"


def test_every_event_has_a_class() -> None:
    """One generated class per schema, found by event name."""
    assert sorted(cls.EVENT for cls in events.EVENTS) == NAMES


def test_asyncapi_points_at_what_exists() -> None:
    """Every reference of the document resolves: inside it, or to a schema file beside it."""
    path = next(path for path, _ in generate.outputs() if path.suffix == ".yaml")
    document = yaml.safe_load(path.read_text("utf-8"))
    found = list(_references(document))
    assert len(found) > 20
    assert [ref for ref in found if not _resolves(document, path, ref)] == []
    assert {channel["address"] for channel in document["channels"].values()} == {file.topic for file in topics.files()}


def _undocumented(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for branch in node for name in _undocumented(branch)]
    if not isinstance(node, dict):
        return []
    own = [node["name"]] if "name" in node and not node.get("doc") else []
    inner = [node.get("type"), node.get("items"), node.get("values"), node.get("fields")]
    return own + [name for part in inner for name in _undocumented(part)]


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [ref for part in node for ref in _references(part)]
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [ref for part in node.values() for ref in _references(part)]
    return []


def _resolves(document: Any, path: Path, ref: str) -> bool:
    if not ref.startswith("#/"):
        return (path.parent / ref).is_file()
    for step in ref.removeprefix("#/").split("/"):
        document = document.get(step, {})
    return bool(document)
