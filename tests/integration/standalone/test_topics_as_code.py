"""`roggia topics plan` and `apply` as an operator or a CI job calls them, against an embedded broker."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from roggia.__main__ import main
from roggia_schemas import topics

from tests.support.clients import admin, make_topic
from tests.support.kafka import Broker

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], devstack_alone: Broker) -> Run:
    """Call `roggia topics …` in process: (exit status, standard output, standard error)."""
    monkeypatch.setenv("ROGGIA_KAFKA_BOOTSTRAP", devstack_alone.bootstrap)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["roggia", "topics", *arguments])
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


def plan(run: Run) -> tuple[int, dict[str, Any]]:
    """`roggia topics plan --json`."""
    status, out, _ = run("plan", "--json")
    return status, json.loads(out)


def test_from_nothing_to_nothing_to_do(run: Run, devstack_alone: Broker) -> None:
    """A plan changes nothing and says by its status that something is to do; after `apply` nothing is."""
    status, before = plan(run)
    assert (status, {row["action"] for row in before["changes"]}) == (6, {"create"})
    assert [row["topic"] for row in before["changes"]] == [spec.name for spec in topics.catalogue()]
    assert plan(run) == (6, before)
    assert run("apply")[0] == 2, "without a terminal and without --yes"
    assert plan(run) == (6, before)
    assert run("apply", "--yes", "--dry-run")[0] == 0
    assert plan(run) == (6, before)
    assert run("apply", "--yes")[0] == 0
    assert run("plan")[:2] == (0, "nothing to do\n")


def test_strangers_are_told_and_left_alone(run: Run, devstack_alone: Broker) -> None:
    """A topic that the catalogue does not know is named; one of a later generation is compared like the first."""
    run("apply", "--yes")
    make_topic(devstack_alone.bootstrap, "somebody.elses")
    make_topic(devstack_alone.bootstrap, topics.doc_embedded(2), 6, retention_ms="604800000")
    status, found = plan(run)
    assert (status, found["unknown"]) == (6, ["somebody.elses"])
    assert [(row["action"], row["topic"]) for row in found["changes"]] == [("alter", "doc.embedded.g2")]
    assert run("apply", "--yes")[0] == 0
    assert plan(run)[0] == 0
    assert "somebody.elses" in admin(devstack_alone.bootstrap).list_topics(timeout=10).topics


def test_moving_keys_takes_the_topics_name(run: Run, devstack_alone: Broker) -> None:
    """A keyed topic is not grown without its name, whatever else is done; a name that means nothing is refused."""
    make_topic(devstack_alone.bootstrap, topics.DOC_CHANGED, 3)
    status, _, said = run("apply", "--yes")
    assert (status, "--confirm doc.changed" in said) == (1, True)
    _, left = plan(run)
    assert {(row["action"], row["topic"]) for row in left["changes"]} == {
        ("grow", "doc.changed"),
        ("alter", "doc.changed"),
    }
    assert all("keys" in row["danger"] or "dropped" in row["danger"] for row in left["changes"])
    assert run("apply", "--yes", "--confirm", "doc.upserted")[0] == 2
    assert run("apply", "--yes", "--confirm", "doc.changed")[0] == 0
    assert plan(run)[0] == 0
