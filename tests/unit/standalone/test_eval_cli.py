"""`roggia eval` at the terminal: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from roggia.__main__ import main
from roggia_operator.evaluation.golden.model import Header
from roggia_operator.evaluation.golden.writing import write
from roggia_operator.evaluation.report.model import decode

from tests.support.evaluating import asked

Run = Callable[..., tuple[int, str, str]]


class _Service(BaseHTTPRequestHandler):
    """Generation 1 always finds the document first; 2 as well; 3 never."""

    def do_POST(self) -> None:
        """Answer a search."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        right = f"d{body['query'].rsplit(' ', 1)[-1]}"
        found = "nothing" if body["generation"] == 3 else right
        self._send({"generation": body["generation"], "collection": "kb", "model": f"m{body['generation']}",
                    "results": [{"doc_id": found, "chunk_id": "c", "score": 1.0}]})  # fmt: skip

    def _send(self, body: object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """URL of a query service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Call `roggia` in process, in a directory with `set.jsonl`: (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "set.jsonl", Header(id="demo"), [asked(number, tags=("clicked",)) for number in range(150)])
    write(tmp_path / "few.jsonl", Header(id="few"), [asked(number) for number in range(5)])

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["roggia", "eval", *arguments])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.mark.parametrize(
    ("golden", "generation", "options", "status", "said"),
    [
        ("set.jsonl", "2", ("--against", "1"), 0, "PASS: not worse than the margin: mrr@10 on all +0.000"),
        ("set.jsonl", "3", ("--against", "1"), 1, "FAIL: worse than the margin: mrr@10 on all -1.000"),
        ("few.jsonl", "2", ("--against", "1"), 9, "INCONCLUSIVE: mrr@10 on all"),
        ("set.jsonl", "2", (), 0, "MEASURED: nothing to compare with"),
        ("set.jsonl", "2", ("--against", "1", "--require", "identifier"), 9, "INCONCLUSIVE: required slices"),
    ],
)
def test_the_exit_status_is_the_verdict(
    run: Run, service: str, golden: str, generation: str, options: tuple[str, ...], status: int, said: str
) -> None:
    """0 passes, or only measures; 1 fails; 9 shows neither. The verdict is the first line."""
    code, out, err = run("run", "--golden", golden, "--generation", generation, "--query-url", service, *options)

    assert code == status, err
    assert out.startswith(said)


def test_the_report_is_written_as_json_and_as_a_page(run: Run, service: str, tmp_path: Path) -> None:
    """Both files hold the same evaluation; the terminal's JSON has everything but single questions."""
    code, out, err = run(
        "run", "--golden", "set.jsonl", "--generation", "2", "--against", "1", "--query-url", service, "--json",
        "--out", "made/here", "--ann-sample", "0",
    )  # fmt: skip
    report, said = decode((tmp_path / "made/here/report.json").read_bytes()), json.loads(out)

    assert code == 0, err
    assert said["report"] == report.id
    assert said["verdict"] == "pass"
    assert "rows" not in said
    assert report.id[:12] in err
    assert [check.waived for check in report.checks] == [True, True]
    assert "<svg" in (tmp_path / "made/here/report.html").read_text()


def test_a_missed_objective_is_a_reason_to_plan_and_no_verdict(run: Run, service: str) -> None:
    """Precision of the live generation as a probe: a missed objective is told, the exit status stays as it is."""
    asked_of = ("run", "--golden", "set.jsonl", "--query-url", service, "--objective", "0.9", "--generation")
    kept, missed = run(*asked_of, "1"), run(*asked_of, "3")

    assert (kept[0], missed[0]) == (0, 0)
    assert "quiet  precision below objective: 1 against 0.9" in kept[1]
    assert "PLAN  precision below objective: 0 against 0.9" in missed[1]


def test_check_says_what_a_set_holds(run: Run, tmp_path: Path) -> None:
    """Id, version, hash and slices; a broken set ends with 2 and one line."""
    code, out, _ = run("check", "set.jsonl", "--json")
    (tmp_path / "bad.jsonl").write_text('{"golden": 1, "id": "x"}\n{"query": 1}\n')
    wrong = run("check", "bad.jsonl")

    assert (code, json.loads(out)["slices"]["tag=clicked"]) == (0, 150)
    assert wrong[0] == 2
    assert wrong[2].startswith("error: bad.jsonl:2: query: Expected `str`, got `int`")
    assert "Traceback" not in wrong[2]


def test_clicks_that_carry_their_question_need_no_stack(run: Run, tmp_path: Path) -> None:
    """A log by itself becomes a set; one that gives no question writes nothing."""
    line = json.dumps({"query": "who pays", "tenant": "acme", "domain": "docs", "doc_id": "a"})
    (tmp_path / "log").write_text(f"{line}\n{line}\n")
    code, out, _ = run("clicks", "log", "--out", "new.jsonl")
    none = run("clicks", "log", "--out", "none.jsonl", "--least", "3")

    assert (code, out.split(",")[0]) == (0, "new.jsonl: 1 question")
    assert none[0] == 2
    assert "left out, too few clicks: 2" in none[2]
    assert not (tmp_path / "none.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("run", "--golden", "gone", "--generation", "1", "--query-url", "http://x"), 2, "file 'gone' does not exist"),
        (("run", "--golden", "few.jsonl", "--generation", "0"), 2, "Invalid value for '--generation'"),
        (("run", "--golden", "few.jsonl", "--generation", "1"), 4, "no stack is running"),
        (("drift", "--reference", "1d", "--recent", "6d"), 2, "--reference: 1d does not lie before --recent 6d"),
        (("drift", "--reference", "soon"), 2, "--reference: 'soon' is no time; write 30m"),
        (("manifest", "--out", "m", "--bootstrap", "127.0.0.1:1"), 4, "Kafka at 127.0.0.1:1 does not answer"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    run: Run, arguments: tuple[str, ...], status: int, said: str
) -> None:
    """As of every command."""
    code, out, err = run(*arguments)

    assert code == status, err
    assert out == ""
    assert said in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


def test_a_report_is_filed_only_with_a_version_that_there_is(run: Run, service: str, tmp_path: Path) -> None:
    """Known before the first question is asked; a name that is no version says how one is written."""
    uri = f"sqlite:///{tmp_path}/models.sqlite3"
    for named, said in (("emb", "write NAME/VERSION"), ("emb/1", "there is no emb/1")):
        asked_for = ("run", "--golden", "few.jsonl", "--generation", "2", "--against", "1", "--model", named)
        status, _, error = run(*asked_for, "--models-uri", uri, "--query-url", service)
        assert (status, said in " ".join(error.split())) == (2, True), error
