"""An evaluation from end to end, on services in memory: what is asked, what is judged, what stops it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from roggia_operator.evaluation.asking import Depth
from roggia_operator.evaluation.errors import EvaluationError, WrongGenerationError
from roggia_operator.evaluation.golden.model import Judged
from roggia_operator.evaluation.judging import Limits
from roggia_operator.evaluation.ports import Answer, Hit, Question
from roggia_operator.evaluation.report.model import Check, Report, decode, encode
from roggia_operator.evaluation.running import Wanted, run
from roggia_operator.evaluation.scoring import ranking, score
from roggia_operator.evaluation.verdict import GateSettings, Verdict
from roggia_runtime.errors import UnavailableError

from tests.support.evaluating import FakeService, asked, golden, wanted_document

QUERIES = [asked(number) for number in range(200)]
QUICK = GateSettings(resamples=300)
BOTH = Wanted(generation=2, against=1, gate=QUICK)


def good(question: Question) -> Sequence[str]:
    """The right document first."""
    return [wanted_document(question), "other"]


def poor(question: Question) -> Sequence[str]:
    """The right document for half of the questions."""
    right = wanted_document(question)
    return ["other", right] if int(right[1:]) % 2 else [right]


async def _run(service: FakeService, wanted: Wanted = BOTH, queries: Sequence[object] = QUERIES) -> Report:
    return await run(service, golden(queries), wanted, "2026-11-29T00:00:00Z")  # type: ignore[arg-type]


def _check(report: Report, name: str) -> Check:
    return next(check for check in report.checks if check.name == name)


async def test_a_generation_as_good_passes_and_the_report_says_what_was_measured() -> None:
    """Equal answers on 200 questions pass; the report names the set, the corpus, both models and collections."""
    report = await _run(FakeService(g1=good, g2=good))

    assert report.verdict is Verdict.PASS, report.reason
    assert (report.golden.id, report.golden.manifest, report.golden.queries) == ("test", "m1", 200)
    assert report.against is not None
    assert (report.against.models, report.generation.models) == (("model-1",), ("model-2",))
    assert report.generation.slices[0].measures["mrr@10"] == 1.0
    assert report.generation.latency.p95 == pytest.approx(0.02)
    assert decode(encode(report)) == report


async def test_a_worse_generation_fails_with_the_reason() -> None:
    """Half of the documents one rank lower: shown to be worse, and said so with measure and interval."""
    report = await _run(FakeService(g1=good, g2=poor))

    assert report.verdict is Verdict.FAIL
    assert report.reason.startswith("worse than the margin: mrr@10 on all -0.250")


async def test_few_questions_are_inconclusive_and_alone_there_is_no_verdict() -> None:
    """Twenty questions show nothing; without a generation to compare with there is nothing to judge."""
    few = await _run(FakeService(g1=good, g2=good), queries=QUERIES[:20])
    alone = await _run(FakeService(g2=good), Wanted(generation=2, gate=QUICK))

    assert few.verdict is Verdict.INCONCLUSIVE
    assert "20 queries decide nothing" in few.reason
    assert alone.verdict is None
    assert alone.against is None


async def test_both_generations_get_the_same_questions_in_changing_order() -> None:
    """Every question is pinned to each generation once (warming up aside), and neither is always asked first."""
    service = FakeService(g1=good, g2=good)
    await _run(service, Wanted(generation=2, against=1, gate=QUICK, depth=Depth(concurrency=1), ann_sample=0))
    pairs = service.asked[6:406]

    assert {question.generation for question in service.asked} == {1, 2}
    assert len({(question.query, question.generation) for question in pairs}) == 400
    firsts = [pairs[at].generation for at in range(0, 400, 2)]
    assert abs(firsts.count(1) - firsts.count(2)) <= 1


async def test_no_more_questions_than_allowed_are_under_way() -> None:
    """The bound holds, and is used."""
    service = FakeService(g1=good, g2=good)
    await _run(service, Wanted(generation=2, against=1, gate=QUICK, depth=Depth(concurrency=5)))

    assert service.most_at_once == 5


async def test_a_document_shown_to_groups_that_may_not_see_it_fails_the_whole() -> None:
    """Probes ask as each forbidden group; one hit is a leak, however good the rankings are."""
    queries = [asked(n, groups=("board",), forbidden=((), ("staff",))) for n in range(150)]

    def leaky(question: Question) -> Sequence[str]:
        return good(question) if question.groups != () or wanted_document(question) == "d7" else ["other"]

    def tight(question: Question) -> Sequence[str]:
        return good(question) if question.groups == ("board",) else ["other"]

    wanted = Wanted(generation=2, against=1, gate=QUICK, limits=Limits(ann_waived=True), ann_sample=0)
    assert (await _run(FakeService(g1=tight, g2=tight), wanted, queries)).verdict is Verdict.PASS
    report = await _run(FakeService(g1=tight, g2=leaky), wanted, queries)

    assert report.verdict is Verdict.FAIL
    assert _check(report, "acl leaks").value == 151.0  # staff sees all of them, nobody's groups one
    assert "151 of 300 probes show what they must not" in report.reason


async def test_an_index_that_misses_the_true_neighbours_fails_and_one_not_probed_is_open() -> None:
    """Approximate against exact search by meaning: below 0.95 fails; refused is inconclusive; left out is on record."""

    def hazy(question: Question) -> Sequence[str]:
        return [f"n{at}" for at in range(10)] if question.exact else [f"n{at}" for at in range(2, 12)]

    def silent(question: Question) -> Sequence[str]:
        if question.exact:
            raise UnavailableError("too slow")
        return good(question)

    def unknown(question: Question) -> Sequence[str]:
        if question.exact:
            raise EvaluationError("exact: unknown field")
        return good(question)

    # The probe is in mode dense, the golden questions in hybrid.
    mixed = FakeService(g1=good, g2=lambda asked: hazy(asked) if asked.mode == "dense" else good(asked))
    bad = await _run(mixed)
    refused = await _run(FakeService(g1=good, g2=unknown))
    slow = await _run(FakeService(g1=good, g2=silent))
    waived = await _run(
        FakeService(g1=good, g2=unknown),
        Wanted(generation=2, against=1, gate=QUICK, limits=Limits(ann_waived=True), ann_sample=0),
    )

    assert (bad.verdict, _check(bad, "ann recall").value) == (Verdict.FAIL, pytest.approx(0.8))
    assert refused.verdict is Verdict.INCONCLUSIVE
    assert "ann recall not measured: exact: unknown field" in refused.reason
    assert (slow.verdict, _check(slow, "ann recall").message) == (Verdict.INCONCLUSIVE, "too slow")
    assert (waived.verdict, _check(waived, "ann recall").waived) == (Verdict.PASS, True)


async def test_slow_answers_fail_only_where_a_limit_was_set() -> None:
    """Generation 2 takes 20 ms: above a limit of 15 it fails, without one it is reported."""
    slow = Wanted(generation=2, against=1, gate=QUICK, limits=Limits(p95_s=0.015))
    report = await _run(FakeService(g1=good, g2=good), slow)

    assert report.verdict is Verdict.FAIL
    assert "p95 latency" in report.reason


async def test_questions_without_an_answer_are_left_out_of_both_until_they_are_too_many() -> None:
    """A few failures are counted and told, and make no side look better; many end the run with the first one."""

    def sometimes(question: Question) -> Sequence[str]:
        if wanted_document(question) in ("d20", "d21", "d22"):
            raise UnavailableError("gone")
        return good(question)

    def never(question: Question) -> Sequence[str]:
        if int(wanted_document(question)[1:]) > 3:
            raise EvaluationError(f"query refused: {question.query}")
        return good(question)

    report = await _run(FakeService(g1=good, g2=sometimes), Wanted(generation=2, against=1, gate=QUICK, ann_sample=0))
    assert (report.failed, len(report.rows)) == (3, 197)
    assert [alarm.value for alarm in report.alarms if alarm.name == "failed"] == [3.0]
    with pytest.raises(EvaluationError, match="11 questions have no answer, the first because: query refused: what"):
        await _run(FakeService(g1=good, g2=never))


async def test_a_service_that_answers_nothing_is_told_at_once_in_its_own_words() -> None:
    """Nobody there, or a refusal of every question, ends after the warming up, and keeps its kind."""

    def gone(question: Question) -> Sequence[str]:
        raise UnavailableError("nobody there")

    service = FakeService(g1=gone, g2=gone)
    with pytest.raises(UnavailableError, match="nobody there"):
        await _run(service)
    assert len(service.asked) == 3


async def test_probes_without_an_answer_prove_nothing() -> None:
    """A failed probe is no proof that nothing leaks: inconclusive, and said so."""
    queries = [asked(n, groups=("board",), forbidden=((),)) for n in range(150)]

    def shaky(question: Question) -> Sequence[str]:
        if not question.groups and wanted_document(question) == "d9":
            raise UnavailableError("gone")
        return good(question) if question.groups else ["other"]

    wanted = Wanted(generation=2, against=1, gate=QUICK, limits=Limits(ann_waived=True), ann_sample=0)
    report = await _run(FakeService(g1=shaky, g2=shaky), wanted, queries)

    assert report.verdict is Verdict.INCONCLUSIVE
    assert "acl leaks not measured: 1 of 150 probes had no answer" in report.reason


async def test_an_answer_of_another_generation_ends_the_run_at_once() -> None:
    """Numbers of another generation are worse than none."""

    def other(question: Question) -> Sequence[str]:
        if int(wanted_document(question)[1:]) > 100:
            raise WrongGenerationError("generation 2 was asked, 1 answered")
        return good(question)

    with pytest.raises(WrongGenerationError):
        await _run(FakeService(g1=good, g2=other))


async def test_alarms_ask_for_a_look_and_decide_nothing() -> None:
    """Rankings that differ in everything but the right document, and more empty answers, alarm; the gate decides."""

    def old(question: Question) -> Sequence[str]:
        return [wanted_document(question), *(f"a{at}" for at in range(9))]

    def new(question: Question) -> Sequence[str]:
        right = wanted_document(question)
        return [] if right in ("d1", "d2", "d3") else [right, *(f"b{at}" for at in range(9))]

    lenient = GateSettings(resamples=300, margin=0.1)
    wanted = Wanted(generation=2, against=1, gate=lenient, limits=Limits(ann_waived=True), ann_sample=0)
    report = await _run(FakeService(g1=old, g2=new), wanted)
    assert report.verdict is Verdict.PASS, report.reason
    assert {alarm.name for alarm in report.alarms} == {"overlap", "rbo", "zero results"}


def test_documents_count_once_and_passages_only_where_they_are_judged() -> None:
    """Several passages of a document are one place of the ranking, its best; judged passages are compared as such."""
    hits = (Hit("x", "x1", 3), Hit("x", "x2", 2), Hit("d1", "c1", 1), Hit("d1", "c2", 0.5))
    answer = Answer(hits, 1, "c", "m", 0.1)
    by_chunk = asked(1, relevant=(Judged(doc_id="d1", chunk="c2", grade=1),))

    assert ranking(asked(1), answer) == ("x", "d1")
    assert score(asked(1), answer).mrr == 0.5
    assert score(by_chunk, answer).mrr == 0.25
