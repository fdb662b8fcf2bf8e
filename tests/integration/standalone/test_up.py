"""`roggia up` and the commands against it, as a user runs them: real processes, a real model, a real index."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from roggia.stack.ports import is_free

from tests.support.standalone import ENVIRONMENT, PROCESSES, Up, up_on

pytestmark = pytest.mark.timeout(240)
TENANT = ("--tenant", "acme")
EXPENSES = "# Expenses\n\nTravel expenses are paid back within ten days when the receipts are attached.\n"
ROLLBACK = "# Rollback\n\nA rollback of the payment service is approved by the engineer on call.\n"
SLUICE = "The sluice of the old mill was repaired with oak and iron in the year after the flood, and it still holds."
SALARIES = "# Salaries\n\nSalaries are reviewed in March by the compensation committee.\n"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for the tests of this module; each test uses a domain of its own."""
    with up_on(tmp_path_factory.mktemp("up") / "data") as (started, _):
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory to publish."""
    (tmp_path / "expenses.md").write_text(EXPENSES)
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "rollback.md").write_text(ROLLBACK)
    return tmp_path


def _cited(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [one["doc_id"] for one in answer["citations"]]


def test_published_files_are_answered_with_citations_and_deleted_ones_are_not(up: Up, folder: Path) -> None:
    """From a file to a cited answer, and back: the same question no longer cites what was deleted. A deletion that
    names another domain is refused and deletes nothing."""
    where = (*TENANT, "--domain", "handbook")
    sent = up.call("publish", str(folder), *where, "--acl", "*", "--json")
    assert (sent["searchable"], sent["refused"]) == (2, [])

    question = ("Who approves a rollback of the payment service?", *where, "--json")
    answer = up.call("ask", *question)
    assert _cited(answer)[0] == "ops/rollback.md"
    assert "engineer on call" in answer["answer"]
    assert answer["extractive"] is True

    elsewhere = up.call("delete", "ops/rollback.md", *TENANT, "--domain", "wiki", "--yes", status=2)
    assert "lives in 'handbook', not in 'wiki'; nothing was deleted" in " ".join(elsewhere.split())
    assert _cited(up.call("ask", *question))[0] == "ops/rollback.md"

    assert up.call("delete", "ops/rollback.md", *where, "--yes", "--json") == {
        "deleted": ["ops/rollback.md"],
        "unconfirmed": [],
    }
    assert "ops/rollback.md" not in _cited(up.call("ask", *question))
    found = up.call("search", *question)["results"]
    assert {one["doc_id"] for one in found} == {"expenses.md"}


def test_a_document_is_found_only_by_a_group_of_its_acl(up: Up, tmp_path: Path) -> None:
    """`--acl` decides who finds a document; without a group only tenant-wide ones are found."""
    where = (*TENANT, "--domain", "people")
    (tmp_path / "salaries.md").write_text(SALARIES)
    up.call("publish", str(tmp_path), *where, "--acl", "board", "--json")
    question = ("When are salaries reviewed?", *where, "--json")

    assert up.call("search", *question)["results"] == []
    assert up.call("search", *question, "--group", "staff")["results"] == []
    assert [one["doc_id"] for one in up.call("search", *question, "--group", "board")["results"]] == ["salaries.md"]


def test_publishing_unchanged_files_again_embeds_nothing(up: Up, folder: Path) -> None:
    """Same text, same chunk ids, vectors from the tenant's cache: a repetition is cheap."""
    where = ("--tenant", "again", "--domain", "again", "--acl", "*", "--json")
    first, second = up.call("publish", str(folder), *where), up.call("publish", str(folder), *where)

    assert first["embedded"] == first["chunks"] == second["chunks"]
    assert second["embedded"] == 0


def test_a_large_file_travels_by_reference_and_a_broken_one_is_refused_with_its_reason(up: Up, tmp_path: Path) -> None:
    """Above 256 KiB the event names a copy that ingest may read; what cannot be read is a dead letter, status 1."""
    where = (*TENANT, "--domain", "sizes", "--acl", "*")
    padding = "<!-- " + "oak and iron " * 25_000 + "-->"
    (tmp_path / "large.html").write_text(f"<html><body>{padding}<h1>Mill</h1><p>{SLUICE}</p></body></html>")
    assert (tmp_path / "large.html").stat().st_size > 256 * 1024
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnot really")
    up.call("publish", str(tmp_path / "broken.pdf"), *where, status=1)
    (cause,) = up.call("dlq", "list", "--json")
    assert (cause["open"], cause["example"]["key"]) == (1, "acme/broken.pdf")
    shown = up.call("dlq", "show", cause["fingerprint"], "--json")
    assert shown["value"]["doc_id"] == "broken.pdf"

    sent = up.call("publish", str(tmp_path / "large.html"), *where, "--json")
    assert (sent["searchable"], sent["chunks"]) == (1, 1)
    assert any(path.is_file() for path in up.data.content.rglob("*"))


def test_a_second_up_on_the_same_data_is_refused(up: Up) -> None:
    """It says which process holds the data, changes nothing, and ends with 3."""
    said = up.call("up", status=3)

    assert f"another `roggia up` (process {up.process.pid})" in " ".join(said.split())
    assert up.ready()


def test_a_killed_service_is_restarted_and_goes_on_where_it_was(up: Up, folder: Path) -> None:
    """kill -9 of ingest and of the index: both come back, and what is published meanwhile becomes searchable."""
    before = up.ready()
    restarts = sum(one.restarts for one in before.processes.values())
    for name in ("ingest", "index"):
        os.kill(before.processes[name].pid, signal.SIGKILL)

    sent = up.call("publish", str(folder), *TENANT, "--domain", "killed", "--acl", "*", "--json")
    after = up.ready(restarts + 2)

    assert sent["searchable"] == 2
    assert after.processes["ingest"].pid != before.processes["ingest"].pid
    found = up.call("search", "receipts", *TENANT, "--domain", "killed", "--json")["results"]
    assert found[0]["doc_id"] == "expenses.md"


def test_status_and_topics_tell_lag_freshness_and_records(up: Up, folder: Path) -> None:
    """An operator sees groups without lag, how fresh the index is, and the newest events decoded."""
    up.call("publish", str(folder), *TENANT, "--domain", "status", "--acl", "*", "--json")

    deadline = time.monotonic() + 20
    while (status := up.call("status", "--json")) and any(one["lag"] for one in _topics(status)):
        assert time.monotonic() < deadline, status["lag"]
    assert {one["topic"] for one in _topics(status)} >= {"doc.changed", "doc.chunked.c1", "doc.embedded.g1"}
    assert {one["name"] for one in status["processes"]} == PROCESSES
    assert status["operator"]["answers"]
    assert status["searchable"]["live"]["p50_s"] is not None
    assert status["lag"]["freshness"]["oldest_s"] == 0
    listed = {one["topic"]: one for one in up.call("topics", "list", "--json")}
    assert listed["doc.changed"]["partitions"] == 6
    tailed = up.call("topics", "tail", "doc.upserted", "--decode", "--no-follow", "-n", "3")
    assert "collection: kb_acme_status__g1" in tailed
    assert "nothing to do" in up.call("topics", "apply")


def _topics(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [topic for group in status["lag"]["groups"] for topic in group["topics"]]


def test_watching_publishes_what_changes_and_deletes_what_goes(up: Up, folder: Path) -> None:
    """--watch follows a directory until it is stopped; only a file that was seen to go is deleted."""
    where = (*TENANT, "--domain", "watched")
    command = [sys.executable, "-m", "roggia", "publish", str(folder), *where, "--acl", "*", "--watch"]
    watcher = subprocess.Popen(
        [*command, "--data", str(up.data.root)], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    try:
        assert watcher.stderr is not None
        for line in watcher.stderr:
            if "Watching" in line:
                break
        (folder / "salaries.md").write_text(SALARIES)
        assert "salaries.md: 1 chunk," in watcher.stderr.readline()
        (folder / "expenses.md").unlink()
        assert "deleted: expenses.md" in watcher.stderr.readline()
    finally:
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(30) == 130

    deadline = time.monotonic() + 20
    while True:
        found = up.call("search", "expenses salaries", *where, "--json")["results"]
        if {one["doc_id"] for one in found} == {"salaries.md", "ops/rollback.md"}:
            break
        assert time.monotonic() < deadline, found


def test_ctrl_c_stops_everything_and_the_data_is_there_at_the_next_start(tmp_path: Path) -> None:
    """Clean stop within its deadline: no child, no lock, no port left; the next start answers from the same data."""
    (tmp_path / "a.md").write_text(EXPENSES)
    where = (*TENANT, "--domain", "kept")
    first = Up(tmp_path / "data")
    try:
        state = first.ready()
        first.call("publish", str(tmp_path / "a.md"), *where, "--acl", "*", "--json")
    finally:
        status = first.stop()

    assert status == 0
    assert not [name for name, one in state.processes.items() if psutil.pid_exists(one.pid)]
    assert is_free(int(state.kafka.rpartition(":")[2]))
    assert (first.data.state(), first.data.is_held()) == (None, False)
    assert "killed" not in first.log()

    second = Up(tmp_path / "data")
    try:
        second.ready()
        found = second.call("search", "receipts", *where, "--json")["results"]
    finally:
        second.stop(signal.SIGTERM)
    assert [one["doc_id"] for one in found] == ["a.md"]
