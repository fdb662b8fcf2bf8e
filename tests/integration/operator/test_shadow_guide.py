"""The guide to the shadow, as it stands: a second generation beside one `roggia up`, asked what users ask."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from roggia.stack.data import StackState
from roggia_operator.evaluation.adapters.mlflow_runs import EXPERIMENT
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_runtime.adapters.mlflow_client import MlflowConnection

from tests.support.guides import Guide, call
from tests.support.standalone import Up, up_on

pytestmark = pytest.mark.timeout(240)
GUIDE = Guide("shadow.md")
QUERIES = ("lift of the house", "entrance rule", "ERR-1042 in the stairs")
_T = TypeVar("_T")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, StackState]]:
    """`roggia up` with a stub in the model's place, every search sampled, texts agreed to."""
    settings = {
        "ROGGIA_EMBEDDER_MODEL": "stub",
        "ROGGIA_QUERY__SHADOW__PERCENT": "100",
        "ROGGIA_QUERY__SHADOW__PER_S": "1000",
        "ROGGIA_QUERY__TENANTS_WITH_QUERY_TEXT": '["acme"]',
    }
    with up_on(tmp_path_factory.mktemp("shadow") / "data", **settings) as running:
        yield running


@pytest.fixture
def at(stack: tuple[Up, StackState], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, from which commands find the stack."""
    up, _ = stack
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROGGIA_DATA", str(up.data.root))
    return tmp_path


def test_live_searches_are_compared_unseen_and_then_asked_again(at: Path) -> None:
    """Users get generation 1 while 2 is in its shadow; its answers stand in the report, and in MLflow as no gate's
    report. Searches recorded with their text, and those of a file, are asked again; that sampling adds none."""
    _two_generations(at)
    for query in QUERIES:
        said = json.loads(call(f"search '{query}' --tenant acme --domain docs --group staff --json"))
        assert (said["generation"], bool(said["results"])) == (1, True)
    live, kept = (GUIDE.commands(f"eval shadow --generation 2 --{name}")[0] for name in ("out", "mlflow"))
    report = _until(lambda: _report(live), lambda found: found["slices"][0]["queries"] == len(QUERIES))

    assert (report["between"]["against"], report["between"]["source"]) == (1, "live")
    assert {row["new"]["error"] for row in report["rows"]} == {""}
    assert all(row["new"]["documents"] for row in report["rows"])
    assert any("identifier" in row["slices"] for row in report["rows"])
    page = (at / "shadow" / "shadow.html").read_text("utf-8")
    assert "Generation 2 in the shadow of 1" in page
    assert not any(query in page for query in QUERIES)

    (at / "asked.jsonl").write_text("".join(GUIDE.blocks("json")))
    asked_again, recorded = GUIDE.commands("eval shadow --generation 2 --against 1")
    assert "generation 2 beside 1: 1 question, file" in call(asked_again)
    assert "generation 2 beside 1: 3 questions, recorded" in call(recorded)
    assert _report(live)["slices"][0]["queries"] == len(QUERIES)
    _kept_in_mlflow(at, kept)


def test_what_cannot_be_compared_is_refused_with_a_remedy(at: Path) -> None:
    """Exit status 2 for what is missing or wrong in the command, 1 where there is nothing to report."""
    assert "--against: name the generation" in call("eval shadow --generation 2 --recorded", 2)
    assert "is the generation itself" in call("eval shadow --generation 2 --against 2 --recorded", 2)
    assert "ROGGIA_QUERY__SHADOW__PERCENT" in call("eval shadow --generation 9", 1)
    assert "--since: 'soon' is no time" in call("eval shadow --generation 2 --since soon", 2)


def _two_generations(at: Path) -> None:
    (at / "handbook").mkdir()
    for number in range(12):
        text = f"# Rule number {number} of the house\n\nThe lift of entrance {number} is for goods. Take the stairs.\n"
        (at / "handbook" / f"rule-{number}.md").write_text(text)
    assert '"searchable": 12' in call("publish handbook --tenant acme --domain docs --acl staff --json")
    call("generation plan --model stub:2 --why 'to look at it'")
    _until(lambda: call("generation show 2"), lambda said: "SHADOW" in said)


def _report(command: str) -> dict[str, Any]:
    ran = call(command, status=(0, 1))
    file = Path("shadow") / "shadow.json"
    found: dict[str, Any] = json.loads(file.read_text()) if "wrote" in ran else {"slices": [{"queries": 0}]}
    return found


def _until(look: Callable[[], _T], enough: Callable[[_T], bool], within_s: float = 100.0) -> _T:
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if enough(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


def _kept_in_mlflow(at: Path, command: str) -> None:
    """The guide's command, in a registry of this test."""
    uri = f"sqlite:///{at / 'mlflow.sqlite3'}"
    said = call(f"{command} --models-uri {uri} --json")
    run_id = json.loads(said[said.index("{") :])["run"]
    client = MlflowConnection(uri).client
    run = client.get_run(run_id)

    assert client.get_experiment(run.info.experiment_id).name == EXPERIMENT
    assert run.info.status == "FINISHED"
    assert run.data.metrics["questions"] == len(QUERIES)
    assert {one.path for one in client.list_artifacts(run_id)} == {"shadow.html", "shadow.json"}
    assert MlflowRegistry(uri).report(run_id) is None
