"""The guide to evaluation, as it stands: each command that it shows is run against one `roggia up`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from roggia.stack.data import StackState
from roggia_operator.evaluation.golden.reading import read

from tests.support.guides import Guide, call
from tests.support.standalone import Up, up_on

pytestmark = pytest.mark.timeout(240)
GUIDE = Guide("evaluate.md")
DOCUMENTS = 30


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, StackState]]:
    """`roggia up` with a stub in the model's place: the guide is about commands, not about quality."""
    with up_on(tmp_path_factory.mktemp("evaluate") / "data", ROGGIA_EMBEDDER_MODEL="stub") as started:
        yield started


@pytest.fixture
def running(stack: tuple[Up, StackState], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackState:
    """The stack, found by the environment, with a handbook published from the working directory."""
    up, state = stack
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROGGIA_DATA", str(up.data.root))
    (tmp_path / "handbook").mkdir()
    for number in range(DOCUMENTS):
        text = f"# Rule number {number} of the house\n\nThe lift of entrance {number} is for goods. Take the stairs.\n"
        (tmp_path / "handbook" / f"rule-{number}.md").write_text(text)
    said = call("publish handbook --tenant acme --domain docs --acl staff --json")
    assert f'"searchable": {DOCUMENTS}' in said
    return state


def test_questions_are_made_checked_and_named_by_their_corpus(running: StackState, tmp_path: Path) -> None:
    """Known items with probes and the manifest's id in the header; clicks of the guide's own line; both sets read."""
    known, clicks, check, manifest = (
        GUIDE.commands(f"eval {name}")[0] for name in ("known-items", "clicks", "check", "manifest")
    )
    assert f"{DOCUMENTS} questions" in call(known)
    (tmp_path / "clicks.jsonl").write_text(GUIDE.blocks("json")[0] * 2)
    assert "1 question," in call(clicks)
    assert "tenant=acme: 30" in call(check)
    corpus = call(manifest)

    found = read(tmp_path / "known.jsonl")
    assert found.header.manifest == corpus.split()[0]
    assert {query.groups for query in found.queries} == {("staff",)}
    assert {query.forbidden for query in found.queries} == {((),)}
    assert found.sha256 in call(check)


def test_the_set_that_the_guide_writes_by_hand_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Header and question as they stand in the page."""
    monkeypatch.chdir(tmp_path)
    header, *question = GUIDE.blocks("json")[1].splitlines()
    (tmp_path / "hand.jsonl").write_text(f"{header}\n{''.join(question)}\n")

    assert json.loads(call("eval check hand.jsonl --json"))["slices"]["identifier"] == 1


def test_drift_needs_documents_in_both_windows(running: StackState) -> None:
    """All documents are new here: the reference is empty, and the command says what to do."""
    (drift,) = GUIDE.commands("eval drift")

    assert "reference: 0 embeddings; a window needs at least 20" in call(drift, status=1)


def test_a_generation_is_measured_and_compared(running: StackState, tmp_path: Path) -> None:
    """Both generations are asked; thirty questions decide nothing, and the report is there all the same."""
    (known,) = GUIDE.commands("eval known-items")
    call(known)
    run, probe = GUIDE.commands("eval run")
    assert "precision below objective" in call(probe)
    alone = run.replace("--generation 2 --against 1", "--generation 1")
    assert "MEASURED" in call(alone)
    assert "INCONCLUSIVE" in call(alone + " --against 1", status=9)
    assert {one.name for one in (tmp_path / "report").iterdir()} == {"report.html", "report.json"}
