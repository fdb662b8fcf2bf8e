"""What every registry of models must do: the fake, MLflow on SQLite, and a real MLflow server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from roggia_operator.models import tags
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_operator.models.ports import ModelRegistry
from roggia_operator.models.values import CANDIDATE, CHAMPION, Draft, Evidence, ModelFacts, ModelKind, Report, Verdict
from roggia_runtime.adapters.mlflow_client import FACTS_FILE, WEIGHTS_FOLDER
from roggia_runtime.errors import ModelRegistryError, UnknownModelError

from tests.support.models import FakeModelRegistry, embedder, generator


@pytest.fixture(params=["fake", "sqlite", "server"])
def registry(request: pytest.FixtureRequest) -> ModelRegistry:
    """A registry of each kind."""
    if request.param == "fake":
        return FakeModelRegistry()
    if request.param == "sqlite":
        return MlflowRegistry(request.getfixturevalue("mlflow_file"))
    return MlflowRegistry(request.getfixturevalue("mlflow_server").url)


@pytest.fixture
def name() -> str:
    """A model's name that no other test uses: the server is shared."""
    return f"emb-{uuid.uuid4().hex[:8]}"  # noqa: TID251


def reference(name: str, ref: ModelFacts | None = None) -> Draft:
    """A version without weights."""
    return Draft(name=name, ref=ref or embedder())


def report(name: str, version: int, verdict: Verdict = Verdict.PASS) -> Report:
    """A report of a version."""
    return Report(name=name, version=version, verdict=verdict, manifest="m1", fingerprint="f1")


def test_facts_come_back_as_they_were_logged(registry: ModelRegistry, name: str) -> None:
    """Every fact of an embedder and of a generator is read back unchanged, with the version's own address."""
    ref = ModelFacts(
        kind=ModelKind.EMBEDDER, fingerprint="m@1;prefix=ab", dimension=384, window=512, passage_prefix="passage: ",
        query_prefix="query: ", endpoint="https://tei.example/v1", served="m", revision="7",
    )  # fmt: skip
    first = registry.register(reference(name, ref))
    second = registry.register(reference(f"{name}-gen", generator()))
    assert (first.version, first.ref.uri) == (1, f"models:/{name}/1")
    assert registry.versions(name)[0].ref == first.ref
    for held, given in ((first.ref, ref), (second.ref, generator())):
        assert {n: getattr(held, n) for n in ModelFacts.__slots__ if n != "uri"} == {
            n: getattr(given, n) for n in ModelFacts.__slots__ if n != "uri"
        }


def test_standard_output_is_left_to_whoever_prints(
    registry: ModelRegistry, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written beside what a command writes: its output is JSON that programs read."""
    registry.register(reference(name))
    registry.file_report(report(name, 1), Evidence({"mrr@10": 0.4}))
    assert capfd.readouterr().out == ""


def test_versions_are_numbered_and_listed_oldest_first(registry: ModelRegistry, name: str) -> None:
    """Each registration makes the next version; more than ten are in order of their numbers."""
    for _ in range(11):
        registry.register(reference(name))
    assert [one.version for one in registry.versions(name)] == list(range(1, 12))


def test_an_alias_points_at_one_version(registry: ModelRegistry, name: str) -> None:
    """Setting an alias moves it, deleting removes it, and deleting one that is not there is no error."""
    registry.register(reference(name))
    registry.register(reference(name))
    registry.set_alias(name, CANDIDATE, 1)
    registry.set_alias(name, CHAMPION, 1)
    registry.set_alias(name, CANDIDATE, 2)
    assert aliases(registry, name) == {CANDIDATE: 2, CHAMPION: 1}
    registry.delete_alias(name, CHAMPION)
    registry.delete_alias(name, CHAMPION)
    assert aliases(registry, name) == {CANDIDATE: 2}


def test_a_deleted_version_takes_its_aliases_with_it(registry: ModelRegistry, name: str) -> None:
    """No alias is left that points at nothing, and its number is not used again."""
    registry.register(reference(name))
    registry.register(reference(name))
    registry.set_alias(name, CHAMPION, 2)
    registry.set_alias(name, CANDIDATE, 1)
    registry.delete_version(name, 2)
    assert aliases(registry, name) == {CANDIDATE: 1}
    assert [one.version for one in registry.versions(name)] == [1]


def test_tags_are_added_and_replaced(registry: ModelRegistry, name: str) -> None:
    """Setting a tag keeps the others; facts are read from what the tags say now."""
    registry.register(reference(name))
    registry.set_tags(name, 1, {tags.GATE: "fail", "note": "one, \u00e8"})
    registry.set_tags(name, 1, {tags.GATE: "pass"})
    held = registry.versions(name)[0]
    assert (held.tags[tags.GATE], held.tags["note"], held.ref.dimension) == ("pass", "one, \u00e8", 4)


def test_a_report_is_kept_and_found_by_its_id(registry: ModelRegistry, name: str) -> None:
    """What was filed is read back with an id and a time; an id of nothing, or of a run that is no report, is None."""
    held = registry.register(reference(name))
    given = report(name, 1, Verdict.INCONCLUSIVE)
    filed = registry.file_report(given, Evidence({"mrr@10": 0.41}, {"report.html": "<p>fine</p>"}))
    assert filed.report_id
    assert filed.at_ms > 0
    assert registry.report(filed.report_id) == filed
    assert (filed.verdict, filed.manifest, filed.fingerprint) == (given.verdict, "m1", "f1")
    assert registry.report("0" * 32) is None
    assert registry.report(held.run_id) is None


def test_later_reports_are_later(registry: ModelRegistry, name: str) -> None:
    """Times of reports grow in the order in which they were filed."""
    registry.register(reference(name))
    first, second = (registry.file_report(report(name, 1), Evidence()) for _ in range(2))
    assert second.at_ms >= first.at_ms
    assert second.report_id != first.report_id


@pytest.mark.parametrize(
    "call",
    [
        lambda held, name: held.versions(name),
        lambda held, name: held.set_alias(name, CANDIDATE, 1),
        lambda held, name: held.delete_alias(name, CANDIDATE),
        lambda held, name: held.set_tags(name, 1, {"a": "b"}),
        lambda held, name: held.set_stage(name, 1, "Staging"),
        lambda held, name: held.delete_version(name, 1),
        lambda held, name: held.file_report(report(name, 1), Evidence()),
        lambda held, name: held.download(name, 1, Path("nowhere")),
    ],
)
def test_a_model_that_is_not_there_is_named(
    registry: ModelRegistry, name: str, call: Callable[[ModelRegistry, str], object]
) -> None:
    """Every call about a model that the registry does not have raises `UnknownModelError` with its name."""
    with pytest.raises(UnknownModelError, match=name):
        call(registry, name)


@pytest.mark.parametrize(
    "call",
    [
        lambda held, name, _: held.set_alias(name, CANDIDATE, 7),
        lambda held, name, _: held.set_tags(name, 7, {"a": "b"}),
        lambda held, name, _: held.set_stage(name, 7, "Staging"),
        lambda held, name, _: held.delete_version(name, 7),
        lambda held, name, into: held.download(name, 7, into),
    ],
)
def test_a_version_that_is_not_there_is_named(
    registry: ModelRegistry, name: str, tmp_path: Path, call: Callable[[ModelRegistry, str, Path], object]
) -> None:
    """Every call about a version that the model does not have raises `UnknownModelError` with its number."""
    registry.register(reference(name))
    with pytest.raises(UnknownModelError, match=f"{name}/7"):
        call(registry, name, tmp_path)


def test_a_model_keeps_its_kind(registry: ModelRegistry, name: str) -> None:
    """A generator is not registered among the versions of an embedder."""
    registry.register(reference(name))
    with pytest.raises(ModelRegistryError, match="of kind embedder, not generator"):
        registry.register(reference(name, generator()))
    assert len(registry.versions(name)) == 1


def test_a_selection_is_the_models(registry: ModelRegistry, name: str) -> None:
    """Knowledge bases stand with the model, and a version logged without any leaves them."""
    registry.register(Draft(name=name, ref=embedder(), selection=("acme/hr", "globex/*")))
    registry.register(reference(name))
    (held,) = [one for one in registry.models() if one.name == name]
    assert (held.kind, held.selection) == (ModelKind.EMBEDDER, ("acme/hr", "globex/*"))


def test_stages_are_kept_for_those_who_read_them(registry: ModelRegistry, name: str) -> None:
    """A classic stage is set and read; a version without one has none; aliases stay."""
    registry.register(reference(name))
    registry.register(reference(name))
    registry.set_alias(name, CANDIDATE, 1)
    registry.set_stage(name, 1, "Production")
    assert [one.stage for one in registry.versions(name)] == ["Production", ""]
    assert aliases(registry, name) == {CANDIDATE: 1}


def test_weights_come_back_byte_for_byte(registry: ModelRegistry, name: str, tmp_path: Path) -> None:
    """What is downloaded is what was logged, folders included, with its facts beside it."""
    weights = tmp_path / "weights"
    (weights / "1_Pooling").mkdir(parents=True)
    (weights / "modules.json").write_text("[]")
    (weights / "1_Pooling" / "config.json").write_bytes(bytes(range(256)) * 40)
    registry.register(Draft(name=name, ref=embedder(), folder=weights, requirements=("sentence-transformers==6.2.0",)))
    folder = registry.download(name, 1, tmp_path / "got")
    held = {p.relative_to(folder / WEIGHTS_FOLDER): p.read_bytes() for p in (folder / WEIGHTS_FOLDER).rglob("*.json")}
    assert held == {p.relative_to(weights): p.read_bytes() for p in weights.rglob("*.json")}
    assert json.loads((folder / FACTS_FILE).read_text())["roggia.fingerprint"] == embedder().fingerprint


def test_a_reference_is_downloaded_as_its_facts(registry: ModelRegistry, name: str, tmp_path: Path) -> None:
    """A version without weights has a folder too, which says where the model runs."""
    registry.register(reference(name, generator()))
    folder = registry.download(name, 1, tmp_path)
    assert json.loads((folder / FACTS_FILE).read_text())["roggia.endpoint"] == generator().endpoint
    assert not (folder / WEIGHTS_FOLDER).exists()


def aliases(registry: ModelRegistry, name: str) -> dict[str, int]:
    """A model's aliases as the list of models shows them."""
    return dict(next(one for one in registry.models() if one.name == name).aliases)
