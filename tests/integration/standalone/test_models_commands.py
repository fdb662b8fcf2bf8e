"""`roggia models` over a real MLflow database: what it prints, what it refuses, with which exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from roggia.__main__ import main
from roggia_operator.models import tags
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_operator.models.values import Draft, Evidence, Report, Verdict
from roggia_runtime.adapters.mlflow_client import WEIGHTS_FOLDER

from tests.support.guides import Guide, call
from tests.support.models import embedder

Run = Callable[..., tuple[int, str, str]]
REMOTE = ("--endpoint", "https://tei.example/v1", "--served", "bge", "--revision", "7", "--dimension", "1024")
GENERATOR = ("--generator", "--endpoint", "https://llm.example/v1", "--served", "small", "--revision", "1")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, mlflow_file: str) -> Run:
    """Call `roggia models` in process: (exit status, standard output, standard error)."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("ROGGIA_OPERATOR_MODELS_URI", mlflow_file)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["roggia", "models", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        assert list(here.iterdir()) == [], "nothing is left where the command was called"
        return int(ended.value.code or 0), shown.out, shown.err

    return call


def judged(uri: str, version: int = 1, verdict: Verdict = Verdict.PASS) -> None:
    """What evaluation leaves."""
    registry = MlflowRegistry(uri)
    held = next(one for one in registry.versions("emb") if one.version == version)
    report = Report(name="emb", version=version, verdict=verdict, manifest="m1", fingerprint=held.ref.fingerprint)
    registry.set_tags("emb", version, tags.of_gate(registry.file_report(report, Evidence())))


def test_from_log_to_champion(run: Run, mlflow_file: str) -> None:
    """A reference is logged, promoted, refused as champion until the gate passed, and then set."""
    assert run("log", "emb", *REMOTE, "--select", "acme/*")[0] == 0
    assert run("promote", "emb", "1")[0] == 0
    status, _, error = run("promote", "emb", "1", "--to", "champion")
    assert (status, "no gate has judged emb/1" in error) == (1, True)
    status, shown, error = run("gate", "emb", "--check")
    assert (status, "missing: no gate has judged" in shown) == (1, True)
    judged(mlflow_file)
    assert "passed: it may be champion" in run("gate", "emb", "--check")[1]
    assert run("promote", "emb", "1", "--to", "champion", "--stage")[0] == 0
    (model,) = parsed(run("list", "--json"))
    assert (model["aliases"], model["selection"]) == ({"candidate": 1, "champion": 1}, ["acme/*"])
    assert (model["versions"][0]["stage"], model["versions"][0]["stands_for"]) == ("Production", "champion")
    assert model["versions"][0]["fingerprint"].startswith("bge@7;window=512")


def test_a_generator_has_endpoint_and_prompt(run: Run) -> None:
    """A generation model is registered by name, endpoint and prompt, and can be candidate."""
    assert run("log", "llm", *GENERATOR, "--prompt", "answer")[0] == 0
    assert run("promote", "llm", "1")[0] == 0
    (model,) = parsed(run("list", "llm", "--json"))
    held = model["versions"][0]
    assert (model["kind"], held["endpoint"], held["served"], held["prompt"]) == (
        "generator", "https://llm.example/v1", "small", "answer",
    )  # fmt: skip


def test_the_table_names_everything(run: Run) -> None:
    """What people read: aliases, stage, verdict, dimension; and a hint where there is nothing."""
    assert "`roggia models log NAME` registers the bundled one" in run("list")[1]
    run("log", "emb", *REMOTE, "--metric", "mrr@10=0.41")
    run("promote", "emb", "1", "--stage")
    shown = run("list")[1]
    for word in ("emb", "candidate", "Staging (candidate)", "1024", "bge@7"):
        assert word in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "gone"), "NAME: 'gone' is not registered"),
        (("promote", "gone", "1"), "NAME: 'gone' is not registered"),
        (("promote", "emb", "7"), "VERSION: emb has no version 7; its newest is 1"),
        (("gate", "emb"), "emb has neither candidate nor champion; name a version"),
        (("gate", "emb", "7"), "VERSION: emb has no version 7"),
        (("list", "--models-uri", "postgres://x"), "'postgres://x' is not an address; use sqlite:///FILE"),
        (("log", "x", "--path", "gone"), "--path: gone is not a folder"),
        (("log", "x", "--path", "."), "modules.json is missing"),
        (("log", "x", *REMOTE[:6]), "--dimension: a remote embedder needs one"),
        (("log", "x", *REMOTE[:4]), "--revision: a model at an endpoint needs one"),
        (("log", "x", "--endpoint", "tei.example"), "--endpoint: 'tei.example' is not an address"),
        (("log", "x", "--endpoint", "https://me:key@tei.example/v1"), "keys and passwords do not belong"),
        (("log", "x", "--generator"), "--endpoint: a generator"),
        (("log", "x", *REMOTE, "--metric", "mrr"), "--metric: 'mrr' is not NAME=NUMBER"),
        (("log", "x", *REMOTE, "--select", "acme"), "--select: 'acme' is no knowledge base"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run: Run, mlflow_file: str, arguments: tuple[str, ...], said: str) -> None:
    """Exit status 2, and a line that names field, value and remedy."""
    MlflowRegistry(mlflow_file).register(Draft(name="emb", ref=embedder()))
    status, _, error = run(*arguments)
    assert (status, said in " ".join(error.split())) == (2, True), error


def test_a_server_that_does_not_answer_is_status_4(run: Run) -> None:
    """It is said within seconds, in one line."""
    status, _, error = run("list", "--models-uri", "http://127.0.0.1:9")
    assert (status, error.count("\n")) == (4, 1), error


def test_the_bundled_model_is_logged_so_that_mlflow_can_load_it(run: Run, mlflow_file: str, tmp_path: Path) -> None:
    """Weights, signature with the dimension, example and requirements: MLflow's own flavour loads it and gives the same
    vectors; its metrics are kept."""
    import mlflow.sentence_transformers
    import numpy as np
    from mlflow.models import Model
    from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel

    made = parsed(run("log", "emb", "--metric", "mrr@10=0.41", "--json"))
    assert (made["version"], made["dimension"], made["window"]) == (1, 384, 512)
    registry = MlflowRegistry(mlflow_file)
    folder = registry.download("emb", 1, tmp_path / "got")
    described = Model.load(str(folder))
    assert described.signature.outputs.to_dict()[0]["tensor-spec"] == {"dtype": "float32", "shape": (-1, 384)}
    assert described.metadata["roggia.fingerprint"] == made["fingerprint"]
    assert described.load_input_example(str(folder)) == ["How long do we keep invoices?"]
    assert "sentence-transformers==" in (folder / "requirements.txt").read_text()
    theirs = mlflow.sentence_transformers.load_model(str(folder)).encode(["one text"])
    ours = SentenceTransformerModel(folder / WEIGHTS_FOLDER, name=BUNDLED, window=512)
    assert ours.fingerprint == made["fingerprint"]
    np.testing.assert_allclose(theirs, ours.encode(["one text"]), atol=1e-5)
    run_id = registry.versions("emb")[0].run_id
    assert registry._at.client.get_run(run_id).data.metrics == {"mrr_at_10": 0.41}


def test_the_guide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mlflow_file: str, weights_of_guide: None) -> None:
    """Each command of the guide, in its order; `champion` works where the guide says that it does."""
    monkeypatch.setenv("ROGGIA_OPERATOR_MODELS_URI", mlflow_file)
    guide = Guide("models.md")
    *logs, shown = guide.commands("models")[:5]
    for command in logs:
        call(command)
    table = call(shown)
    assert all(word in table for word in ("all-MiniLM-L6-v2@", "my-model@", "bge-m3@2026-11", "https://llm.example/v1"))
    to_candidate, gate, to_champion = guide.commands("models")[5:]
    call(to_candidate)
    assert "no gate has judged emb/1" in call(gate)
    assert "cannot be champion" in call(to_champion, 1)
    judged(mlflow_file)
    call(to_champion)
    assert "passed: it may be champion" in call(gate)


@pytest.fixture
def weights_of_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`./my-model`, as the guide calls it."""
    from roggia_embedder.adapters.models.sentence_transformer import bundled_path

    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-model").mkdir()
    for file in bundled_path().iterdir():
        (tmp_path / "my-model" / file.name).symlink_to(file)


def parsed(answer: tuple[int, str, str]) -> Any:
    """The JSON of a call that worked."""
    status, shown, error = answer
    assert status == 0, error
    return json.loads(shown)
