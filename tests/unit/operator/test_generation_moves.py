"""Each guard of a move: what shuts it, what it says, what it asks for, and what it lets through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs
from roggia_operator.generations import states
from roggia_operator.generations.bases import bases, beneath, check_selection, served_by
from roggia_operator.generations.moves import decide
from roggia_operator.generations.states import baseline_row
from roggia_operator.generations.values import (
    Alarm,
    Decision,
    Evidence,
    GateReport,
    Ground,
    Need,
    Parity,
    Progress,
    Rules,
)
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.events import GenerationMove, GenerationState, GenerationWish, IndexGeneration

from tests.support.generation_cases import MODEL, NOW, RULES, case, passed, proof, state, wanted

PLANNED, FILLING, SHADOW = GenerationState.PLANNED, GenerationState.FILLING, GenerationState.SHADOW
LIVE, ROLLED_BACK = GenerationState.LIVE, GenerationState.ROLLED_BACK
RETIRED, FAILED = GenerationState.RETIRED, GenerationState.FAILED
FILL, SERVE, BACK, RETIRE = GenerationWish
GROUND = Evidence(ground=Ground(NOW, {0: 100}, 100, 510))
AT_END = Progress(NOW, 0, 0, 0)


def live(number: int, cutover: int, at_ms: int = 0, **facts: Any) -> IndexGeneration:
    """A generation that was cut over to."""
    made = GenerationMove(at=at_ms, before="SHADOW", after="LIVE")
    return state(number, LIVE, cutover=cutover, history=(made,), **facts)


@pytest.mark.parametrize(
    ("facts", "evidence", "message"),
    [
        ({}, Evidence(), "waits: its topics are made"),
        ({}, Evidence(ground=Ground(NOW, trouble="topics: no")), "refused: topics: no"),
        ({"selection": ("Acme/docs",)}, GROUND, "refused: select: 'Acme'"),
        ({"selection": ("acme/*", "acme/docs")}, GROUND, "refused: select: 'acme/docs'"),
        ({"model": structs.replace(wanted().model, uri="")}, GROUND, "refused: model: it names none"),
        ({"model": structs.replace(wanted().model, window=511)}, GROUND, "refused: window: 511 is less than the 512"),
        ({"chunker_generation": 0}, GROUND, "refused: chunker: 0"),
    ],
)
def test_filling_begins_only_on_good_ground(facts: dict[str, Any], evidence: Evidence, message: str) -> None:
    """Bad names and small windows are refused with field and value; nothing is asked of Kafka for them."""
    decision = decide(case(wanted(**facts), state(2, PLANNED, **facts), evidence=evidence))
    assert decision.move is None
    assert decision.message.startswith(message)
    assert decision.needs == ({(Need.GROUND, 2)} if message.startswith("waits") else frozenset())


def test_a_third_is_refused_and_no_topic_is_made_for_it() -> None:
    """Two follow at a time: the baseline counts, a retired one does not."""
    third = state(3, PLANNED)
    refused = decide(case(wanted(3), third, state(2, FILLING), evidence=GROUND))
    assert (refused.move, refused.needs) == (None, frozenset())
    assert refused.message == "refused: g1, g2 follow the log already, 2 at a time may; retire one first"
    opened = decide(case(wanted(3), third, state(2, RETIRED), evidence=GROUND))
    assert opened.move is not None


def test_filling_notes_where_it_ends() -> None:
    """The ends of the corpus at that moment are in the state: what comes later does not move the goal."""
    decision = decide(case(wanted(), state(2, PLANNED), evidence=GROUND))
    assert decision.move is not None
    assert (decision.move.after, decision.counts) == (FILLING, {"end.0": 100, "offsets": 100, "done": 0})


@pytest.mark.parametrize(
    ("progress", "parity", "message"),
    [
        (None, {}, "waits: its groups"),
        (Progress(NOW, 5, 5, 0), proof(2), "filling"),
        (Progress(NOW, 0, 0, 501), proof(2), "waits: its groups are more than 500 records behind"),
        (Progress(NOW, 0, 501, 0), proof(2), "waits: its groups are more than 500 records behind"),
        (AT_END, {}, "waits: g2 is compared"),
        (AT_END, proof(2, at_ms=NOW - RULES.fresh_ms - 1), "waits: g2 is compared"),
        (AT_END, {2: Parity(NOW, False, "missing 3")}, "waits: g2 is not what the log says: missing 3"),
    ],
)
def test_what_is_not_filled_stays_filling(progress: Progress | None, parity: dict[int, Parity], message: str) -> None:
    """Behind, far behind, unproven, proven long ago, or proven wrong: no shadow."""
    decision = decide(case(wanted(), state(2, FILLING), evidence=Evidence(progress=progress, parity=parity)))
    assert decision.move is None
    assert decision.message.startswith(message)


def test_what_is_filled_is_in_shadow_and_knows_its_model() -> None:
    """Exact by comparison: the model that its vectors are of is learnt from them."""
    unknown = structs.replace(wanted().model, fingerprint="")
    own = state(2, FILLING, counts={"offsets": 100, "end.0": 100}, model=unknown)
    at = case(wanted(model=unknown), own, evidence=Evidence(progress=AT_END, parity=proof(2)))
    decision = decide(at)
    assert decision.move is not None
    made = states.after(at, decision, decision.message)
    assert (made.state, made.counts, made.model.fingerprint) == (SHADOW, {"offsets": 100, "done": 100}, MODEL)


def test_vectors_of_another_model_end_it() -> None:
    """A generation whose collections hold what they must not can never serve."""
    parity = {2: Parity(NOW, False, "mixed", fault="its collections hold vectors of 2 models")}
    decision = decide(case(wanted(), state(2, FILLING), evidence=Evidence(progress=AT_END, parity=parity)))
    assert decision.move is not None
    assert (decision.move.after, decision.move.by) == (FAILED, "roggia.operator.generations")


GOOD = Evidence(report=passed(), parity=proof(1, 2))
ASKED = wanted(wish=SERVE, report="r1")


@pytest.mark.parametrize(
    ("asked", "evidence", "message"),
    [
        (wanted(wish=SERVE), GOOD, "refused: report: none is named"),
        (ASKED, replace(GOOD, report=None), "waits: the gate's report is read"),
        (ASKED, replace(GOOD, report=passed(report_id="r0")), "waits: the gate's report is read"),
        (ASKED, replace(GOOD, report=GateReport(NOW, "r1", "fail", "worse")), "refused: report: r1 says fail: worse"),
        (ASKED, replace(GOOD, report=GateReport(NOW, "r1", "inconclusive", "few")), "refused: report: r1 says inconcl"),
        (ASKED, replace(GOOD, report=GateReport(NOW, "r1", reason="is not there")), "refused: report: r1 is not there"),
        (ASKED, replace(GOOD, report=passed(3)), "refused: report: r1 is about g3"),
        (
            ASKED,
            replace(GOOD, report=GateReport(NOW, "r1", "pass", fingerprint="x")),
            "refused: report: r1 is",
        ),
        (ASKED, replace(GOOD, report=GateReport(NOW, "r1", "pass")), "refused: report: r1 names neither"),
        (ASKED, replace(GOOD, parity=proof(1)), "waits: g2 is compared"),
        (ASKED, replace(GOOD, parity=proof(2)), "waits: g1 is compared"),
        (ASKED, replace(GOOD, parity=proof(2) | {1: Parity(NOW, False, "stale 1")}), "waits: g1 is not what"),
        (ASKED, replace(GOOD, parity=proof(1) | {2: Parity(NOW, False, "stale 1")}), "waits: g2 is not what"),
        (wanted(wish=SERVE, override="x", by=""), GOOD, "refused: override: by 'nobody'"),
        (wanted(wish=SERVE, override="x", by="reconciler/models"), GOOD, "refused: override: by 'reconciler/models'"),
        (wanted(wish=SERVE, override="x", by="models"), GOOD, "refused: override: by 'models'"),
        (wanted(wish=SERVE, override=" "), GOOD, "refused: override: it gives no reason"),
        (wanted(wish=SERVE, override="x"), replace(GOOD, parity=proof(1)), "waits: g2 is compared"),
    ],
)
def test_nothing_serves_without_evidence(asked: IndexGeneration, evidence: Evidence, message: str) -> None:
    """Each piece that is missing, old or of another is named; the same holds for one that was rolled back."""
    for status in (SHADOW, ROLLED_BACK):
        decision = decide(case(asked, state(2, status), evidence=evidence))
        assert decision.move is None
        assert decision.message.startswith(message), decision.message


def test_a_cutover_has_the_highest_number_and_its_evidence() -> None:
    """Of several that are LIVE, the last cutover serves; its record names report and comparisons."""
    third = state(3, SHADOW)
    evidence = Evidence(report=passed(3), parity=proof(2, 3))
    at = case(wanted(3, SERVE, report="r1"), third, live(2, 7), evidence=evidence)
    made = states.after(at, decide(at), "")
    assert (made.state, made.cutover) == (LIVE, 8)
    assert made.history[-1].evidence.items() >= {"report": "r1", "parity g2": "exact", "parity g3": "exact"}.items()


def test_an_override_waives_the_gate_and_the_old_index() -> None:
    """Somebody whose old index is broken can still move to one that is right."""
    broken = proof(2) | {1: Parity(NOW, False, "missing 9")}
    decision = decide(
        case(wanted(wish=SERVE, override="it is broken"), state(2, SHADOW), evidence=Evidence(parity=broken))
    )
    assert decision.move is not None
    assert dict(decision.move.rests_on).items() >= {"override": "it is broken", "overridden by": "ops@example"}.items()


def test_a_rollback_needs_nothing() -> None:
    """No evidence is asked for, so nothing can delay it."""
    decision = decide(case(wanted(wish=BACK), live(2, 1)))
    assert decision.move is not None
    assert (decision.move.after, decision.needs) == (ROLLED_BACK, frozenset())


def test_a_rollback_to_nowhere_is_refused() -> None:
    """When the baseline is retired, the only one that follows keeps serving; the baseline is never rolled back."""
    gone = state(1, RETIRED)
    refused = decide(case(wanted(wish=BACK), live(2, 1), gone))
    assert refused.move is None
    assert "nothing older follows" in refused.message
    assert decide(case(wanted(3, BACK), live(3, 2), live(2, 1), gone)).move is not None
    assert decide(case(wanted(1, BACK), baseline_row(1, 0), live(2, 1))).move is None


def test_a_wish_that_was_undone_is_no_new_one() -> None:
    """Writing the old wish back, with another rate, brings nothing back; another reason does."""
    at = case(ASKED, state(2, SHADOW), evidence=GOOD)
    served = states.after(at, decide(at), "")
    undone = structs.replace(served, state=ROLLED_BACK)
    late = decide(case(structs.replace(ASKED, rate=9), undone, evidence=GOOD))
    assert late.move is None
    assert "say what changed" in late.message
    assert decide(case(structs.replace(ASKED, why="mended"), undone, evidence=GOOD)).move is not None


@pytest.mark.parametrize(
    ("own", "others", "message"),
    [
        (live(2, 1), [], "refused: it serves every knowledge base"),
        (live(2, 1, selection=("acme/*",)), [], "refused: it serves acme/*"),
        (baseline_row(1, 0), [], "refused: it serves every"),
        (baseline_row(1, 0), [live(2, 1, selection=("acme/*",))], "refused: it serves every"),
        (live(2, 1), [live(3, 2, at_ms=NOW - 10)], "waits: its grace period ends 2023-11-14T23:13:19Z"),
    ],
)
def test_what_serves_or_served_just_now_is_kept(
    own: IndexGeneration, others: list[IndexGeneration], message: str
) -> None:
    """A generation goes when it serves nothing, and not before its grace period is over."""
    decision = decide(case(wanted(own.generation, RETIRE), own, *others))
    assert decision.move is None
    assert decision.message.startswith(message), decision.message


def test_what_was_overtaken_long_ago_goes() -> None:
    """Also the baseline, once another serves everything."""
    assert _after(decide(case(wanted(2, RETIRE), live(2, 1), live(3, 2)))) is RETIRED
    assert _after(decide(case(wanted(1, RETIRE), baseline_row(1, 0), live(2, 1)))) is RETIRED


@pytest.mark.parametrize("status", [PLANNED, FILLING, SHADOW])
def test_what_never_served_is_given_up_at_once(status: GenerationState) -> None:
    """It fails, with the reason, and the same wish retires it without a grace period."""
    asked = wanted(wish=RETIRE, why="wrong model")
    decision = decide(case(asked, state(2, status)))
    assert (_after(decision), decision.message) == (FAILED, "given up: wrong model")
    assert _after(decide(case(asked, state(2, FAILED), live(3, 1, at_ms=NOW)))) is RETIRED


def test_a_probe_ends_canaries_and_fresh_cutovers() -> None:
    """Lower precision is as good a reason to go back as errors; it is asked for by its own clock, if at all."""
    lower = replace(GOOD, alarm=Alarm(NOW), probe=Alarm(NOW, "precision@5: 0.2"))
    own = state(2, SHADOW, canary=5.0, report="r1")
    ended = decide(case(wanted(canary=5.0, report="r1"), own, evidence=lower))
    assert ended.message == "canary ended: precision@5: 0.2"
    back = decide(case(wanted(wish=SERVE), live(2, 1, at_ms=NOW), evidence=lower))
    assert back.move is not None
    assert (back.move.after, back.move.why) == (ROLLED_BACK, "precision@5: 0.2")
    probing = replace(RULES, probe_ms=5_000)
    serving, quiet = live(2, 1, at_ms=NOW), Evidence(alarm=Alarm(NOW), probe=Alarm(NOW - 5_000))
    asked = decide(case(wanted(wish=SERVE), serving, evidence=quiet, rules=probing))
    assert asked.needs == {(Need.PROBE, 2)}
    rested = replace(quiet, probe=Alarm(NOW - 4_999))
    assert not decide(case(wanted(wish=SERVE), serving, evidence=rested, rules=probing)).needs
    assert not decide(case(wanted(wish=SERVE), serving, evidence=quiet)).needs


def test_who_answers_in_its_place_is_asked_by_knowledge_base() -> None:
    """What it holds: the generation before it, or the baseline where there is none. What it does not hold: nobody."""
    own = live(3, 2, selection=("acme/*",))
    among = case(wanted(3), own, live(2, 1, selection=("acme/docs",)))
    assert [among.instead("acme", "docs"), among.instead("acme", "code"), among.instead("other", "docs")] == [
        2,
        1,
        None,
    ]


def test_a_canary_is_let_through_by_the_gate_alone() -> None:
    """No user sees an ungated generation; a canary keeps its one from being retired; a rule ends it once."""
    asked = wanted(canary=5.0, report="r1")
    assert decide(case(asked, state(2, SHADOW))).canary == 0
    at = case(asked, state(2, SHADOW), evidence=GOOD)
    let = decide(at)
    assert let.canary == 5
    row = states.after(at, let, "")
    assert "canary" in decide(case(structs.replace(asked, wish=RETIRE), row, evidence=GOOD)).message
    restarted = decide(case(asked, row))
    assert (restarted.canary, restarted.needs) == (5, {(Need.REPORT, 2)})
    bad = case(asked, row, evidence=replace(GOOD, alarm=Alarm(NOW, "errors: 9 of 50")))
    ended = states.after(bad, decide(bad), "")
    assert (ended.state, ended.canary, ended.history[-1].why) == (SHADOW, 0, "canary ended: errors: 9 of 50")
    assert decide(case(asked, ended, evidence=GOOD)).canary == 0
    assert decide(case(structs.replace(asked, why="mended"), ended, evidence=GOOD)).canary == 5


@pytest.mark.parametrize(("age_ms", "after"), [(1_000, ROLLED_BACK), (RULES.watch_ms + 1, None)])
def test_a_fresh_cutover_is_watched(age_ms: int, after: GenerationState | None) -> None:
    """Shortly after it began to serve a bad generation is rolled back; later somebody has to want it."""
    own, alarm = live(2, 1, at_ms=NOW - age_ms), Evidence(alarm=Alarm(NOW, "latency"))
    decision = decide(case(wanted(wish=SERVE), own, evidence=alarm))
    assert _after(decision) is after
    kept = decide(case(wanted(wish=SERVE), live(2, 1, at_ms=NOW), state(1, RETIRED), evidence=alarm))
    assert kept.move is None
    assert "serves badly" in kept.message


def test_nobody_is_watched_where_nothing_is_read() -> None:
    """Without metrics there is no look at queries."""
    rules = Rules(watch_ms=0)
    assert decide(case(wanted(wish=SERVE), live(2, 1, at_ms=NOW - 1), rules=rules)).needs == frozenset()


def test_what_was_planned_first_stands() -> None:
    """Another model, selection or store under the number of a generation is refused, and its state says so."""
    other = structs.replace(wanted().model, uri="stub:9")
    for changed in (wanted(selection=("acme/docs",)), wanted(model=other), wanted(store="pg")):
        at = case(changed, state(2, FILLING), evidence=Evidence(progress=Progress(NOW, 1, 1, 1)))
        made = states.after(at, decide(at), "filling")
        assert (made.selection, made.model.uri, made.store) == ((), "stub:2", "")
        assert states.REFUSED in made.message


def test_an_overtaken_one_says_how_to_come_back() -> None:
    """Who promotes it again is told what to do, the baseline too."""
    assert "overtaken by g3; roll that back" in decide(case(wanted(2, SERVE), live(2, 1), live(3, 2))).message
    assert "overtaken by g2; roll that back" in decide(case(wanted(1, SERVE), baseline_row(1, 0), live(2, 1))).message


def test_every_knowledge_base_is_considered() -> None:
    """Those that are named, the others of a named tenant, and those of tenants that nobody names."""
    rows = [baseline_row(1, 0), live(2, 1, selection=("acme/docs", "other/*"))]
    assert list(map(str, bases(rows))) == [
        "every knowledge base that no selection names", "acme/*", "acme/docs", "other/*"
    ]  # fmt: skip
    assert list(map(str, served_by(2, rows, 1))) == ["acme/docs", "other/*"]
    assert beneath(structs.replace(rows[1], state=SHADOW), rows, 1) == [1]


def test_a_selection_is_sorted_and_says_each_once() -> None:
    """Names are checked as everywhere; what another entry holds is refused."""
    assert check_selection(["b/docs", "a/*", "b/docs"]) == ("a/*", "b/docs")
    for wrong in ("acme", "acme/", "/docs", "acme/Docs", "acme/docs/more"):
        with pytest.raises(InvalidNameError, match="select"):
            check_selection([wrong])


def _after(decision: Decision) -> GenerationState | None:
    return decision.move.after if decision.move else None
