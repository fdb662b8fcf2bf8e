"""The shadow's report: what it takes in, what it says of it, and that it shows nothing it should not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from roggia_operator.evaluation.asking import Depth
from roggia_operator.evaluation.errors import EvaluationError, GoldenSetError
from roggia_operator.evaluation.golden.clicks import Served
from roggia_operator.evaluation.ports import Question
from roggia_operator.evaluation.report.shadow_page import page
from roggia_operator.evaluation.shadow import filing, recorded, summing, watched
from roggia_operator.evaluation.shadow.model import Pair, ShadowReport, ShadowRow, decode, encode
from roggia_operator.evaluation.shadow.replaying import replay
from roggia_operator.evaluation.shadow.watched import Wanted
from roggia_runtime.errors import UnavailableError

from tests.support.evaluating import FakeService, asked, wanted_document
from tests.support.shadowing import BETWEEN, row, told

TEN = [f"d{n}" for n in range(10)]
VOID = {"meta", "line", "rect", "circle", "path", "col", "br"}


def report(*rows: ShadowRow) -> ShadowReport:
    """The report of these rows."""
    return summing.report(rows, BETWEEN, "2026-11-29T00:00:00Z")


class Nesting(HTMLParser):
    """Checks that every element is closed, and keeps attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_live_rows_are_those_of_the_generation_asked_about() -> None:
    """Other generations, tenants and older events are left out; the answer of the generation that served most is what
    it is compared with; no text unless asked for."""
    events = [
        told(["a", "a", "b"], ["b"], query_text="who pays?", words=2, identifier=True, language="en"),
        told(["a"], ["a"], tenant_id="globex"),
        told(["a"], ["a"], occurred_at=5),
        told(["a"], [], "timed_out"),
    ]
    rows, between = watched.rows(events, Wanted(2, since=10, tenant="acme"))
    first, failed = rows

    assert (between.generation, between.against, between.source) == (2, 1, "live")
    assert (between.models, between.models_against) == (("example-model/5",), ("example-model/4",))
    assert (first.old.documents, first.new.documents, first.text) == (("a", "b"), ("b",), "")
    assert first.slices == (
        "all",
        "tenant=acme",
        "domain=acme/handbook",
        "language=en",
        "length=1-3 words",
        "identifier",
    )
    assert (failed.new.error, failed.overlap, failed.new.empty) == ("timed_out", None, False)
    assert watched.rows(events, Wanted(2, since=10), with_text=True)[0][0].text == "who pays?"


def test_what_was_asked_while_filling_is_said() -> None:
    """A part of an index differs much, and that is no finding."""
    event = told(["a"], [])
    half = event.answers[1].__class__(generation=2, state="FILLING", latency_ms=1.0)
    _, between = watched.rows([event, told(["a"], ["b"], answers=(event.answers[0], half))], Wanted(2))
    assert between.note.startswith("1 of 2 ")


@pytest.mark.parametrize("wanted", [Wanted(3), Wanted(2, against=7)])
def test_nothing_in_the_shadow_is_an_error_with_a_remedy(wanted: Wanted) -> None:
    """Who sees no row is told where to look."""
    with pytest.raises(EvaluationError, match=r"asked nothing in the shadow.*ROGGIA_QUERY__SHADOW__PERCENT.*--queries"):
        watched.rows([told(["a"], ["b"])], wanted)


def test_recorded_questions_are_read_once_each_and_complaints_name_their_line(tmp_path: Path) -> None:
    """Unknown fields are left alone; the same question twice is one; a sample is the same every time."""
    file = tmp_path / "asked.jsonl"
    line = '{{"query": "key {}", "tenant": "acme", "domain": "docs", "groups": ["b", "a"], "user": 7}}\n'
    file.write_text("".join(line.format(n % 20) for n in range(40)))
    found = recorded.read(file, 100)

    assert len(found) == 20
    assert found[0].groups == ("a", "b")
    assert recorded.read(file, 5) == found[:5]
    file.write_text(
        '{"query": "x", "tenant": "acme", "domain": "docs"}\n{"query": "??", "tenant": "a", "domain": "d"}\n'
    )
    with pytest.raises(GoldenSetError, match=r"asked.jsonl:2: query: '\?\?'"):
        recorded.read(file, 5)
    file.write_text("\n")
    with pytest.raises(GoldenSetError, match="holds no question"):
        recorded.read(file, 5)


def test_recorded_searches_are_asked_as_the_groups_that_are_named() -> None:
    """The log does not say who asked; one tenant can be chosen; what would be refused is left out."""
    searches = [Served("acme", "docs", "keys"), Served("globex", "docs", "keys"), Served("acme", "docs", "??")]
    found = recorded.of_served(searches, ("staff",), 10, "acme")
    assert [(one.tenant, one.query, one.groups) for one in found] == [("acme", "keys", ("staff",))]


def _old(question: Question) -> Sequence[str]:
    return [wanted_document(question), "rest"]


def _new(question: Question) -> Sequence[str]:
    number = int(wanted_document(question)[1:])
    if number == 7:
        raise UnavailableError("down")
    return [] if number == 3 else ["other", wanted_document(question)]


async def test_replay_asks_both_in_turn_and_keeps_what_fails() -> None:
    """Every question goes to both generations, pinned; a failure of the new one is a row; the models are named."""
    service = FakeService(g1=_old, g2=_new)
    done = await replay(service, [asked(n) for n in range(20)], (1, 2), Depth(concurrency=4), with_text=True)
    by_text = {one.text.rsplit(" ", 1)[-1]: one for one in done.rows}

    assert {question.generation for question in service.asked} == {1, 2}
    assert done.models == (("model-1",), ("model-2",))
    assert by_text["7"].new.error == "unavailable"
    assert by_text["3"].new.empty
    assert by_text["3"].overlap == 0.0
    assert by_text["1"].overlap == pytest.approx(1 / 3, abs=0.2)
    assert 0 < (by_text["1"].rbo or 0) < 1


async def test_replay_is_given_up_when_there_is_nothing_to_compare_with() -> None:
    """The old generation without answers is no comparison."""
    with pytest.raises(EvaluationError, match="have no answer, the first because: down"):
        await replay(FakeService(g1=_down, g2=_old), [asked(n) for n in range(50)], (1, 2), Depth())


def _down(_question: Question) -> Sequence[str]:
    raise UnavailableError("down")


def test_alarms_look_at_agreement_lost_answers_errors_and_time() -> None:
    """Each by itself; with the same answers there is none."""

    def names(*rows: ShadowRow) -> set[str]:
        return {alarm.name for alarm in report(*rows).alarms} - {"p95 latency"}

    same = [row(f"q{n}", TEN, TEN) for n in range(50)]
    assert names(*same) == set()
    assert names(*[row(f"q{n}", TEN, ["x", TEN[0]]) for n in range(9)]) == {"overlap", "rbo"}
    assert names(*same, row("e", TEN, [])) == {"zero results"}
    assert names(*same, row("f", TEN, [], "timed_out")) == {"errors"}
    assert [alarm.name for alarm in report(*same).alarms] == ["p95 latency"]


def test_means_are_over_what_both_answered() -> None:
    """A question without an answer says nothing about agreement, and counts as an error of its side."""
    made = report(row("a", TEN, TEN), row("b", TEN, ["x"]), row("c", [], []), row("d", TEN, [], "timed_out"))
    whole = made.whole

    assert (whole.queries, whole.compared) == (4, 3)
    assert whole.overlap == pytest.approx(2 / 3)
    assert whole.same_first == pytest.approx(2 / 3)
    assert whole.empty == Pair(0.25, 0.25)
    assert whole.errors == Pair(0.0, 0.25)
    assert made.codes == {"timed_out": Pair(0, 1)}
    assert decode(encode(made)) == made


def test_what_changed_most_is_named_once_with_how_often_it_was_asked() -> None:
    """Lost answers first, then the least agreement, worst of a question's rows; unchanged ones are not named."""
    rows = [
        row("same", TEN, TEN), row("some", TEN, ["x", *TEN[:9]]), row("much", TEN, ["x"]), row("much", TEN, TEN),
        row("lost", TEN, []), row("found", [], TEN),
    ]  # fmt: skip
    changed = summing.most_changed(rows, 10)
    assert [(one.row.query, one.times) for one in changed] == [("lost", 1), ("much", 2), ("found", 1), ("some", 1)]
    assert [one.row.query for one in summing.most_changed(rows, 1)] == ["lost"]


def test_the_page_needs_nothing_else_and_hides_what_it_should() -> None:
    """No script, link or source, a policy that forbids them; documents are escaped; words only where rows have any."""
    rows = [row("q1", ["<b>old</b>", *TEN], ["new", *TEN]), row("q2", TEN, []), row("q3", TEN, [], "timed_out")]
    text = page(report(*rows))
    found = Nesting()
    found.feed(text)

    assert found.open == []
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in found.tags}
    assert not [a for _, a in found.tags if {"src", "href", "xlink:href", "style", "onload"} & a.keys()]
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)
    assert "&lt;b&gt;old&lt;/b&gt;" in text
    assert text.count("<svg") == 5
    assert "no answer: timed_out" in text
    spoken = page(report(row("q1", ["a"], ["b"], text="who <i>pays</i>?")))
    assert "who &lt;i&gt;pays&lt;/i&gt;?" in spoken


def test_a_page_without_any_answer_is_a_page() -> None:
    """A generation that answers nothing at all has a report, too."""
    text = page(report(row("q1", TEN, [], "model_not_loaded"), row("q2", TEN, [], "model_not_loaded")))
    assert "model_not_loaded" in text
    assert text.count("<svg") == 4


def test_a_run_has_the_numbers_and_no_verdict() -> None:
    """What MLflow keeps can be plotted there, and is no gate's report."""
    made = report(row("a", TEN, TEN), row("b", TEN, []))
    run = filing.run(made, "ann@example")

    assert run.metrics["overlap@10"] == 0.5
    assert (run.metrics["zero results old"], run.metrics["zero results new"]) == (0.0, 0.5)
    assert run.tags["roggia.kind"] == "shadow"
    assert not [name for name in run.tags if "gate" in name or "verdict" in name]
    assert set(run.files) == {"shadow.json", "shadow.html"}
