"""Models fetched from a registry: the files that were logged, or an error."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from roggia_embedder.adapters.mlflow_source import MlflowModelSource
from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel, bundled_path
from roggia_embedder.embedding.fingerprint import files_hash, name_in, weights_hash, weights_in
from roggia_embedder.errors import ModelLoadError
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_operator.models.values import Draft, ModelFacts, ModelKind
from roggia_runtime.errors import ConfigurationError, ModelRegistryUnavailableError


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Files that look like a model's."""
    folder = tmp_path / "weights"
    for name in ("", "1_Pooling", "2_Dense"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "config.json").write_text(f'{{"in": "{name}"}}')
    (folder / "modules.json").write_text("[]")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    return folder


def ref(weights: Path) -> ModelFacts:
    """Facts whose fingerprint fits the files."""
    print_ = f"m@{weights_hash(weights)[:16]};dim=4"
    return ModelFacts(kind=ModelKind.EMBEDDER, fingerprint=print_, dimension=4, window=128)


@pytest.fixture
def logged(mlflow_file: str, weights: Path) -> str:
    """A registry that holds `emb/1`."""
    MlflowRegistry(mlflow_file).register(Draft(name="emb", ref=ref(weights), folder=weights))
    return mlflow_file


def test_a_version_is_fetched_once_and_then_needs_no_registry(logged: str, weights: Path, tmp_path: Path) -> None:
    """The first call downloads; later ones, also of another process, use what is here, with the registry gone."""
    first = MlflowModelSource(logged, tmp_path / "cache").fetch("models:/emb/1")
    assert weights_hash(first) == weights_hash(weights)
    Path(logged.removeprefix("sqlite:///")).unlink()
    assert MlflowModelSource(logged, tmp_path / "cache").fetch("models:/emb/1") == first


def test_a_registry_that_is_away_is_asked_again(tmp_path: Path) -> None:
    """What has to be downloaded cannot be: the caller hears that it is to try again, not that the model is bad."""
    with pytest.raises(ModelRegistryUnavailableError):
        MlflowModelSource("http://127.0.0.1:9", tmp_path).fetch("models:/emb/2")


@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "all missing"])
def test_files_that_are_not_those_that_were_logged_are_refused(logged: str, tmp_path: Path, damage: str) -> None:
    """A byte changed, a file cut short or missing: an error that says so; the next call fetches whole files again."""
    source = MlflowModelSource(logged, tmp_path / "cache")
    file = source.fetch("models:/emb/1") / "model.safetensors"
    held = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "all missing":
        shutil.rmtree(file.parent)
    else:
        file.write_bytes(held[:-1] if damage == "cut" else b"x" + held[1:])
    with pytest.raises(ModelLoadError, match=r"models:/emb/1: its files have the hash .* were changed or cut short"):
        source.fetch("models:/emb/1")
    assert (source.fetch("models:/emb/1") / "model.safetensors").read_bytes() == held


def test_a_reference_is_its_facts(mlflow_file: str, tmp_path: Path) -> None:
    """A model that runs elsewhere has a folder without weights."""
    facts = ModelFacts(
        kind=ModelKind.EMBEDDER, fingerprint="tei@7;dim=4", dimension=4, window=1, endpoint="https://t/v1"
    )
    MlflowRegistry(mlflow_file).register(Draft(name="far", ref=facts))
    folder = MlflowModelSource(mlflow_file, tmp_path / "cache").fetch("models:/far/1")
    assert [one.name for one in folder.iterdir()] == ["roggia.json"]


@pytest.mark.parametrize(
    "uri",
    ["models:/emb@champion", "models:/emb/0", "models:/emb", "runs:/x/model", "models:/../1", "models:/a/b/1", ""],
)
def test_only_a_versions_own_address_is_taken(mlflow_file: str, tmp_path: Path, uri: str) -> None:
    """An alias moves and a path leads elsewhere: both are refused before anything is fetched."""
    with pytest.raises(ModelLoadError, match="use models:/NAME/NUMBER"):
        MlflowModelSource(mlflow_file, tmp_path).fetch(uri)


def test_what_is_not_there_or_not_ours_is_named(logged: str, tmp_path: Path) -> None:
    """A version that does not exist; one that another tool logged; an address of no registry."""
    source = MlflowModelSource(logged, tmp_path / "cache")
    with pytest.raises(ModelLoadError, match=r"models:/emb/7: the registry sqlite:.* has no such version"):
        source.fetch("models:/emb/7")
    client = MlflowRegistry(logged)._at.client
    place = client.create_experiment("others", artifact_location=(tmp_path / "others").as_uri())
    run = client.create_run(place).info.run_id
    client.log_text(run, "x", "model/x.txt")
    client.create_model_version("emb", f"runs:/{run}/model", run)
    with pytest.raises(ModelLoadError, match="log it with `roggia models log`"):
        source.fetch("models:/emb/2")
    with pytest.raises(ConfigurationError, match="use sqlite:///FILE"):
        MlflowModelSource("postgres://x", tmp_path)


def test_nothing_is_made_where_the_process_stands(logged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own functions leave a database and folders in the working directory; ours do not."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    MlflowModelSource(logged, tmp_path / "cache").fetch("models:/emb/1")
    assert list(here.iterdir()) == []


def test_the_hash_does_not_depend_on_how_a_disk_lists_files(weights: Path, tmp_path: Path) -> None:
    """Files of one name in several folders: any order gives one hash, and exchanging two of them another."""
    files = [one for one in weights.rglob("*") if one.is_file()]
    assert files_hash(files) == files_hash(reversed(files)) == weights_hash(weights)
    other = tmp_path / "other"
    shutil.copytree(weights, other)
    (other / "1_Pooling" / "config.json").write_bytes((weights / "2_Dense" / "config.json").read_bytes())
    (other / "2_Dense" / "config.json").write_bytes((weights / "1_Pooling" / "config.json").read_bytes())
    assert weights_hash(other) != weights_hash(weights)


def test_the_bundled_model_is_the_same_model_after_a_round_trip(mlflow_file: str, tmp_path: Path) -> None:
    """Logged, fetched, loaded: the same fingerprint, so its vectors may share a collection with the original's."""
    original = SentenceTransformerModel(bundled_path(), name=BUNDLED, window=512)
    facts = ModelFacts(kind=ModelKind.EMBEDDER, fingerprint=original.fingerprint, dimension=384, window=512)
    MlflowRegistry(mlflow_file).register(Draft(name="emb", ref=facts, folder=bundled_path()))
    folder = MlflowModelSource(mlflow_file, tmp_path / "cache").fetch("models:/emb/1")
    fetched = SentenceTransformerModel(folder, name=name_in(facts.fingerprint), window=512)
    assert fetched.fingerprint == original.fingerprint
    assert original.fingerprint.startswith(f"{BUNDLED}@{weights_in(original.fingerprint)};window=512")
