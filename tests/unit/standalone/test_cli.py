"""The command line's manners: one clear line for an error, documented exit statuses, JSON for scripts."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from roggia.__main__ import main
from roggia.cli import asking, output
from roggia.stack.data import DataDirectory, StackState
from roggia_runtime.errors import ConfigurationError, UnavailableError
from roggia_schemas.errors import InvalidNameError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Call `roggia` in process, in an empty directory: (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    for name in ("ROGGIA_DATA", "ROGGIA_KAFKA_BOOTSTRAP", "ROGGIA_REGISTRY_URL", "ROGGIA_QUERY_URL"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["roggia", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return call


HERE = ("--tenant", "acme", "--domain", "handbook")
NOWHERE = "127.0.0.1:1"
DEAD = f"http://{NOWHERE}"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("search", "x", *HERE), 4, "error: no stack is running on .*: start one with `roggia up"),
        (("status",), 4, "error: no stack is running on"),
        (("publish", "gone", *HERE, "--acl", "*"), 4, "error: no stack is running"),
        (("publish", "gone", *HERE, "--acl", "*", "--bootstrap", NOWHERE), 2, "PATH: 'gone' does not exist"),
        (("publish", ".", "--tenant", "A_B", "--domain", "d", "--acl", "*"), 2, "--tenant: 'A_B' is not valid; use"),
        (("publish", ".", *HERE, "--acl", " "), 2, "error: --acl: name at least one group"),
        (("publish", ".", *HERE), 2, "Missing option '--acl'"),
        (("delete", "a.md", *HERE, "--bootstrap", NOWHERE), 2, "--yes: needed to delete without a terminal"),
        (("delete", "", *HERE, "--yes"), 2, "error: doc_id: '' is not valid"),
        (("service", "guard"), 2, "error: NAME: 'guard' is no service; use one of ingest, embed"),
        (("dlq", "show", "doc.changed.dlq", "12"), 2, "error: PLACE: '12' is not PARTITION:OFFSET"),
        (("dlq", "list", "--kind", "foo"), 2, "error: --kind: 'foo' is none; use schema, invalid, oversize, content"),
        (("dlq", "drop", "--kind", "polcy", "--reason", "x"), 2, "error: --kind: 'polcy' is none; use schema, invalid"),
        (("search", "x", *HERE, "--metadata", "team", "--query-url", DEAD), 2, "'team': write NAME=VALUE"),
        (("ask", "x", *HERE, "--query-url", DEAD), 4, "error: no query service answers at http://127"),
        (("schemas", "check", "--registry", "ftp://x"), 2, "error: ROGGIA_REGISTRY_URL: "),
        (("schemas", "check", "--registry", DEAD), 4, "error: schema registry http://127.0.0.1:1 does"),
        (("topics", "list", "--bootstrap", NOWHERE), 4, "^error: Kafka at 127.0.0.1:1 does not answer; start it, or"),
        (("topics", "acls", "--publisher", "wiki"), 2, "error: --publisher: 'wiki' is no principal; write User:NAME"),
        (("topics", "acls", "--consumer", "User:*", "--topic", "doc.upserted", "--group", "b"), 2, "--consumer: .User"),
        (("tenants", "apply", "gone.yaml"), 2, "error: FILE: gone.yaml: No such file or directory; name a file that"),
        (("replay", "plan", "--docs", "gone", "--bootstrap", NOWHERE), 2, "error: --docs: gone: No such file"),
        (("eval", "check", "gone.jsonl"), 2, "'gone.jsonl' does not exist"),
        (("eval", "run", "--golden", "gone.jsonl", "--generation", "1"), 2, "'gone.jsonl' does not exist"),
        (("replay", "rate", "j", "records=x"), 2, "error: LIMITS: 'records=x' is not NAME=NUMBER, as records=50"),
        (("tenants", "offboard", "", "--confirm", "", "--bootstrap", NOWHERE), 2, "error: TENANT: '' is not valid"),
        (("tenants", "offboard", "Acme", "--bootstrap", NOWHERE), 2, "error: TENANT: 'Acme' is not valid"),
        (("replay", "run", "--doc", "", "--bootstrap", NOWHERE), 2, "error: --doc: is empty; name a document"),
        (("replay", "run", "--doc", "a/b", "--doc", " ", "--bootstrap", NOWHERE), 2, "error: --doc: is empty"),
        (("replay", "plan", "--offsets", f"0:0-{'9' * 5000}", "--bootstrap", NOWHERE), 2, "is not PARTITION:FIRST-END"),
        (("up", "--kafka-port", "70000"), 2, "Invalid value for '--kafka-port'"),
        (("up", "--data", "/proc/roggia"), 1, "error: /proc/roggia: No such file or directory"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else None,
)  # fmt: skip
def test_an_error_is_one_line_that_says_what_to_do_with_its_exit_status(
    run: Run, arguments: tuple[str, ...], status: int, said: str
) -> None:
    """What is wrong, with what, what to do; scripts can tell usage (2) from something that is down (4)."""
    code, out, err = run(*arguments)

    flat = " ".join(err.replace("│", " ").split())
    assert code == status, err
    assert out == ""
    assert re.search(said, flat), flat
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("tenants", "apply", "logo.png"), "FILE"),
        (("replay", "plan", "--docs", "logo.png", "--bootstrap", NOWHERE), "--docs"),
        (("generation", "promote", "2", "--report", "./logo.png", "--bootstrap", NOWHERE), "--report"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_text_is_refused_by_name(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], option: str
) -> None:
    """A picture in the place of a list is a mistake of the caller's, told in one line, with status 2."""
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n")

    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert re.fullmatch(rf"error: {option}: (\./)?logo.png: line 1 is not UTF-8; save the file as UTF-8\n", err)


@pytest.mark.parametrize("command", [("replay", "plan", "--docs"), ("tenants", "apply")])
def test_a_file_that_is_no_text_is_named_with_its_line(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A list from a spreadsheet in another encoding is no riddle and no traceback."""
    file = tmp_path / "list.txt"
    file.write_bytes("acme/one\nacme/café\n".encode("latin-1"))
    code, _, err = run(*command, str(file), "--bootstrap", NOWHERE)
    assert code == 2
    assert f"{file}: line 2 is not UTF-8; save the file as UTF-8" in " ".join(err.split())


def test_what_is_printed_cannot_command_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Keys, messages and passages are anybody's: control characters are shown, in lines and in tables."""
    hostile = "a\x1b]0;owned\x07b\x9b2Jc\x1b[2Jd\té\n"
    output.out.print(hostile, markup=False)
    table = output.folding("key")
    table.add_row(hostile)
    output.out.print(table)
    output.say(hostile)
    shown = capsys.readouterr()
    assert shown.out.count(r"a\x1b]0;ownedb\x9b2Jc\x1b[2Jd") == 2
    assert shown.err.startswith(r"a\x1b]0;ownedb\x9b2Jc\x1b[2Jd")
    assert not {"\x1b", "\x07", "\x9b"} & set(shown.out + shown.err)
    assert "é" in shown.out


def test_whoever_has_a_number_and_no_name_can_ask_for_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run under numbers that no file of users knows."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    assert asking.somebody().startswith(f"{os.getuid()}@")


def test_errors_of_the_packages_below_keep_their_meaning_as_an_exit_status() -> None:
    """A wrong setting is usage, something that does not answer is unreachable, the rest is failure."""
    from roggia.errors import AlreadyRunningError, StackFailedError, exit_code

    assert exit_code(ConfigurationError("x")) == 2
    assert exit_code(InvalidNameError("tenant_id", "x", "y")) == 2
    assert exit_code(UnavailableError("x")) == 4
    assert exit_code(AlreadyRunningError("x")) == 3
    assert exit_code(StackFailedError("x")) == 5


def test_a_second_up_on_the_same_data_says_so_and_ends_with_3(run: Run, tmp_path: Path) -> None:
    """Nothing is started, and the message names the process that holds the data."""
    data = DataDirectory(tmp_path / "data")
    with data.held():
        data.write(StackState(pid=4711, started_at_ms=0, kafka="k", registry="r", query="q"))
        code, _, err = run("up", "--data", str(data.root))

    assert code == 3
    assert "another `roggia up` (process 4711)" in " ".join(err.split())


def test_version_is_the_installed_one(run: Run) -> None:
    """Scripts and bug reports can name what they ran."""
    from importlib.metadata import version

    assert run("version")[:2] == (0, version("roggia") + "\n")
