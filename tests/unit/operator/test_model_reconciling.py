"""What aliases come to: each rule alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from roggia_operator.models import tags
from roggia_operator.models.canary import CanaryCounts, Objectives
from roggia_operator.models.generations import BY, Standing, State, WishKind, overlap
from roggia_operator.models.looking import look, with_stages
from roggia_operator.models.reconciling import Outcome, reconcile
from roggia_operator.models.values import CANDIDATE, CHAMPION, PREVIOUS, Draft, Verdict

from tests.support.model_world import BASELINE, World
from tests.support.models import embedder, generator


@pytest.fixture
def world() -> World:
    """Versions 1 and 2 of `emb`, and the baseline serving."""
    made = World()
    made.log("emb")
    made.log("emb")
    return made


def filled(world: World, version: int = 1, name: str = "emb") -> int:
    """Fill a generation with a version, and judge it; return its number."""
    world.registry.set_alias(name, CANDIDATE, version)
    world.settle()
    world.judge(name, version)
    return next(one.generation for one in world.standings if (one.model, one.version) == (name, version))


def promoted(world: World, version: int = 1, name: str = "emb") -> int:
    """Fill, judge and serve a version."""
    number = filled(world, version, name)
    world.registry.set_alias(name, CHAMPION, version)
    world.settle()
    assert world.serving() == number
    return number


def said(outcome: Outcome) -> str:
    """All refusals as one text."""
    return " | ".join(map(str, outcome.refusals))


def test_a_candidate_is_filled_once(world: World) -> None:
    """`candidate` asks for one generation with the version's facts; looking again asks for nothing."""
    world.registry.set_alias("emb", CANDIDATE, 2)
    (wish,) = world.look().wishes
    assert (wish.kind, wish.version, wish.generation, wish.by) == (WishKind.FILL, 2, 0, BY)
    assert wish.ref == world.version("emb", 2).ref
    assert world.look() == Outcome()


def test_equal_vectors_need_no_second_generation(world: World) -> None:
    """A version with the fingerprint of what is there already, the settings' own included, is not filled again."""
    world.registry.register(Draft(name="emb", ref=embedder(BASELINE)))
    world.registry.set_alias("emb", CANDIDATE, 3)
    assert world.look() == Outcome()


def test_a_version_without_facts_is_not_filled(world: World) -> None:
    """What another tool registered has no fingerprint: it is refused, and what is missing is named."""
    world.registry.register(Draft(name="emb", ref=replace(embedder(""), dimension=0)))
    world.registry.set_alias("emb", CANDIDATE, 3)
    outcome = world.look()
    assert not outcome.wishes
    assert "tag roggia.fingerprint is missing" in said(outcome)
    assert "tag roggia.dimension is missing" in said(outcome)


def test_a_champion_that_passed_serves(world: World) -> None:
    """candidate, filled, judged, champion: it serves, and `previous` is what served before."""
    first, second = promoted(world, 1), promoted(world, 2)
    assert world.serving() == second != first
    (model,) = world.registry.models()
    assert model.aliases == {CANDIDATE: 2, CHAMPION: 2, PREVIOUS: 1}


def test_an_alias_by_hand_changes_nothing(world: World) -> None:
    """`champion` on a filled version that nobody judged: no wish, and what is missing is said."""
    world.registry.set_alias("emb", CANDIDATE, 1)
    world.settle()
    world.registry.set_alias("emb", CHAMPION, 1)
    outcome = world.settle()
    assert not outcome.wishes
    assert world.serving() == 1
    assert "no gate has judged emb/1" in said(outcome)


def test_a_champion_that_was_never_filled_is_refused(world: World) -> None:
    """`champion` does not fill: it says that `candidate` does."""
    world.registry.set_alias("emb", CHAMPION, 1)
    assert "make it candidate first" in said(world.settle())
    assert len(world.rows) == 1


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({tags.GATE: "fail"}, "the gate said fail, not pass"),
        ({tags.GATE: "inconclusive"}, "the gate said inconclusive"),
        ({tags.GATE_REPORT: ""}, "a verdict without its report counts for nothing"),
        ({tags.GATE_REPORT: "made-up"}, "report made-up does not exist"),
        ({tags.GATE_MANIFEST: ""}, "on which corpus"),
        ({tags.GATE_MANIFEST: "m2"}, "says manifest m1, not m2"),
        ({tags.GATE_FINGERPRINT: "other"}, "the gate judged other"),
        ({"roggia.fingerprint": "other"}, "log it as a new version"),
    ],
)
def test_every_part_of_the_evidence_counts(world: World, changed: dict[str, str], expected: str) -> None:
    """A verdict whose tags, report and version do not agree in everything does not let a champion serve."""
    filled(world, 1)
    world.registry.set_tags("emb", 1, changed)
    world.registry.set_alias("emb", CHAMPION, 1)
    outcome = world.settle()
    assert world.serving() == 1
    assert expected in said(outcome)


def test_a_report_of_another_version_is_no_evidence(world: World) -> None:
    """Tags copied from a version that passed do not help another."""
    filled(world, 2)
    filled(world, 1)
    copied = {tag: value for tag, value in world.version("emb", 1).tags.items() if tag.startswith(tags.GATE)}
    world.registry.set_tags("emb", 2, {**copied, tags.GATE_FINGERPRINT: world.version("emb", 2).ref.fingerprint})
    world.registry.set_alias("emb", CHAMPION, 2)
    outcome = world.settle()
    assert world.serving() == 1
    assert "says model emb/1, not emb/2" in said(outcome)


def test_an_override_in_the_record_counts(world: World) -> None:
    """A generation whose record holds a named person's override serves without tags."""
    number = filled(world, 1)
    world.registry.set_tags("emb", 1, {tags.GATE: "fail"})
    world.rows[number] = replace(world.rows[number], gate_passed=True)
    world.registry.set_alias("emb", CHAMPION, 1)
    world.settle()
    assert world.serving() == number


def test_champion_back_at_what_served_before_is_a_rollback(world: World) -> None:
    """No second cutover: what serves steps aside, and moving the alias forth brings it back."""
    first, second = promoted(world, 1), promoted(world, 2)
    world.registry.set_alias("emb", CHAMPION, 1)
    world.settle()
    assert (world.serving(), world.rows[second].state) == (first, State.ROLLED_BACK)
    world.registry.set_alias("emb", CHAMPION, 2)
    world.settle()
    assert world.serving() == second


def test_the_alias_does_not_undo_a_rollback_by_others(world: World) -> None:
    """What a person or the canary took back stays back, though `champion` still points at it, until a newer report."""
    number = promoted(world, 1)
    world.roll_back("canary")
    outcome = world.settle()
    assert world.serving() == 1
    assert "rolled back by canary" in said(outcome)
    world.judge("emb", 1)
    world.settle()
    assert world.serving() == number


def test_a_deleted_alias_changes_nothing(world: World) -> None:
    """Without `champion`, what serves goes on serving, without an alarm."""
    number = promoted(world, 1)
    world.registry.delete_alias("emb", CHAMPION)
    assert world.settle() == Outcome()
    assert world.serving() == number


def test_a_deleted_version_changes_nothing(world: World) -> None:
    """A version deleted while it serves goes on serving: its generation has its vectors."""
    number = promoted(world, 1)
    world.registry.delete_version("emb", 1)
    assert world.settle() == Outcome()
    assert world.serving() == number


def test_an_alias_seen_before_its_version_is_refused(world: World) -> None:
    """Between two requests a version may have gone: nothing is wished, and it is said."""
    promoted(world, 1)
    (seen,) = look(world.registry)
    outcome = reconcile([replace(seen, aliases={CHAMPION: 9, CANDIDATE: 9})], world.standings)
    assert not outcome.wishes
    assert said(outcome).count("does not exist (any more)") == 2


def test_two_champions_do_not_take_turns(world: World) -> None:
    """Two models that both passed, for the same knowledge bases: the one that serves stays, the other is refused."""
    number = promoted(world, 1)
    world.log("other")
    filled(world, 1, "other")
    world.registry.set_alias("other", CHAMPION, 1)
    outcome = world.settle()
    assert world.serving() == number
    assert "emb/1 is champion too" in said(outcome)
    world.registry.delete_alias("emb", CHAMPION)
    world.settle()
    assert world.rows[world.serving()].model == "other"


def test_the_model_that_serves_moves_freely(world: World) -> None:
    """Another model's champion, refused as it is, does not hold up the versions of the one that serves."""
    promoted(world, 1)
    world.log("other")
    filled(world, 1, "other")
    world.registry.set_alias("other", CHAMPION, 1)
    second = promoted(world, 2)
    assert world.serving() == second
    assert "emb/2 is champion too" in said(world.settle())


def test_two_champions_over_the_baseline_are_both_refused(world: World) -> None:
    """Where neither model serves yet, nobody guesses which one was meant."""
    filled(world, 1)
    world.log("other")
    filled(world, 1, "other")
    for name in ("emb", "other"):
        world.registry.set_alias(name, CHAMPION, 1)
    outcome = world.settle()
    assert world.serving() == 1
    assert len(outcome.refusals) == 2


def test_what_is_wished_already_is_not_wished_again(world: World) -> None:
    """A controller that has not come to a wish yet finds it once in the record, not once for every look."""
    promoted(world, 1)
    number = filled(world, 2)
    report = world.version("emb", 2).tags[tags.GATE_REPORT]
    world.rows[number] = replace(world.rows[number], wish=WishKind.SERVE, report=report)
    world.registry.set_alias("emb", CHAMPION, 2)
    assert reconcile(look(world.registry), world.standings).wishes == ()
    world.rows[number] = replace(world.rows[number], wish=None)
    world.settle()
    world.registry.set_alias("emb", CHAMPION, 1)
    (wish,) = reconcile(look(world.registry), world.standings).wishes
    assert (wish.kind, wish.generation) == (WishKind.ROLL_BACK, number)
    world.rows[number] = replace(world.rows[number], wish=WishKind.ROLL_BACK)
    assert reconcile(look(world.registry), world.standings).wishes == ()


@pytest.mark.parametrize("change", ["deleted", "elsewhere", "failed since", "another claims it too"])
def test_a_cutover_that_has_to_wait_is_taken_back_with_its_alias(world: World, change: str) -> None:
    """While the index cannot be compared, the alias goes, moves, or its verdict changes: what was wished is taken back,
    and once nothing waits any more, nothing is cut over."""
    number = filled(world, 2)
    world.held_up = True
    world.registry.set_alias("emb", CHAMPION, 2)
    world.look()
    assert (world.rows[number].wish, world.rows[number].wished_by) == (WishKind.SERVE, BY)
    if change == "deleted":
        world.registry.delete_alias("emb", CHAMPION)
    elif change == "elsewhere":
        world.registry.set_alias("emb", CHAMPION, 1)
    elif change == "failed since":
        world.judge("emb", 2, Verdict.FAIL)
    else:
        world.log("other")
        filled(world, 1, "other")
        world.registry.set_alias("other", CHAMPION, 1)
    world.look()
    assert world.rows[number].wish is WishKind.FILL
    world.held_up = False
    world.settle()
    assert (world.serving(), world.served) == (1, [])


def test_what_a_person_wished_is_not_taken_back(world: World) -> None:
    """A promotion by hand waits as long as it likes, whatever aliases say."""
    number = filled(world, 2)
    row = world.rows[number] = replace(world.rows[number], wish=WishKind.SERVE, wished_by="ops@host", report="r9")
    assert world.look() == Outcome()
    assert world.rows[number] == row


def test_a_promotion_by_hand_that_was_refused_holds_no_champion_up(world: World) -> None:
    """Somebody asked for it without a report, which the controller refuses for ever: the alias asks with its own."""
    number = filled(world, 2)
    world.rows[number] = replace(world.rows[number], wish=WishKind.SERVE, wished_by="ops@host", report="")
    world.registry.set_alias("emb", CHAMPION, 2)
    world.settle()
    assert world.serving() == number
    assert world.look() == Outcome()


def test_a_slip_in_one_models_tags_does_not_stop_the_others(world: World) -> None:
    """Its own aliases are refused, and say why; what it serves or waits for stays. Another model is promoted, unless it
    would take knowledge bases that the unreadable one has a claim on."""
    serving = promoted(world, 1)
    world.log("law", "", "acme/law")
    filled(world, 1, "law")
    world.registry.set_alias("law", CHAMPION, 1)
    world.registry.unreadable.add("emb")
    outcome = world.settle()
    assert "emb@champion = version 1 changes nothing: models:/emb/2: tag roggia.window" in said(outcome)
    assert "emb has a champion too, of which nothing is known" in said(outcome)
    assert world.serving() == serving
    world.registry.delete_alias("emb", CHAMPION)
    world.settle()
    assert world.rows[world.serving("acme/law")].model == "law"
    assert world.serving("acme/other") == serving


def test_two_models_for_different_knowledge_bases_both_serve() -> None:
    """Selections that do not overlap are no conflict."""
    world = World()
    world.log("hr", "", "acme/hr")
    world.log("law", "", "acme/law", "globex/*")
    for name in ("hr", "law"):
        filled(world, 1, name)
        world.registry.set_alias(name, CHAMPION, 1)
    assert not world.settle().refusals
    assert world.rows[world.serving("acme/hr")].model == "hr"
    assert world.rows[world.serving("globex/any")].model == "law"
    assert world.serving("acme/other") == 1


def test_a_generation_that_ended_is_not_begun_anew(world: World) -> None:
    """An alias that merely stayed does not fill again what failed, or what a person retired."""
    number = filled(world, 1)
    for state in (State.FAILED, State.RETIRED):
        world.rows[number] = replace(world.rows[number], state=state)
        outcome = world.settle()
        assert len(world.rows) == 2
        assert state.value in said(outcome)


def test_previous_is_what_a_rollback_returns_to(world: World) -> None:
    """It is written by the reconciler: set by hand it is set right, and without anything to return to it goes."""
    promoted(world, 1)
    promoted(world, 2)
    world.registry.set_alias("emb", PREVIOUS, 2)
    world.settle()
    assert world.registry.models()[0].aliases[PREVIOUS] == 1
    first = next(one for one in world.standings if one.version == 1)
    world.rows[first.generation] = replace(first, state=State.RETIRED)
    world.settle()
    assert PREVIOUS not in world.registry.models()[0].aliases


def test_a_generator_needs_canary_requests(world: World) -> None:
    """`champion` of a generator is refused until enough canary requests were within the objectives."""
    world.registry.register(Draft(name="llm", ref=generator()))
    world.registry.set_alias("llm", CHAMPION, 1)
    seen, limits = look(world.registry), Objectives(least_requests=10)
    assert "0 of 10 canary requests" in said(reconcile(seen, world.standings, {}, limits))
    few, enough = CanaryCounts(requests=9), CanaryCounts(requests=10)
    assert "1 more" in said(reconcile(seen, world.standings, {("llm", 1): few}, limits))
    assert reconcile(seen, world.standings, {("llm", 1): enough}, limits) == Outcome()


def test_classic_stages_stand_in_for_missing_aliases(world: World) -> None:
    """Staging is candidate and Production champion, where the setting says so and no alias says otherwise."""
    world.registry.set_stage("emb", 1, "Production")
    world.registry.set_stage("emb", 2, "Staging")
    versions = world.registry.versions("emb")
    assert with_stages({}, versions) == {CHAMPION: 1, CANDIDATE: 2}
    assert with_stages({CHAMPION: 2}, versions) == {CHAMPION: 2, CANDIDATE: 2}
    assert look(world.registry)[0].aliases == {}
    assert look(world.registry, stages=True)[0].aliases == {CHAMPION: 1, CANDIDATE: 2}


@pytest.mark.parametrize(
    ("one", "other", "met"),
    [
        ((), ("a/b",), True),
        (("a/b",), ("a/b", "c/d"), True),
        (("a/*",), ("a/b",), True),
        (("a/b",), ("a/c",), False),
        (("a/*",), ("b/*",), False),
        (("a/b",), ("ab/*",), False),
    ],
)
def test_selections_overlap_where_they_share_a_knowledge_base(
    one: tuple[str, ...], other: tuple[str, ...], met: bool
) -> None:
    """Empty holds all, `tenant/*` holds a tenant's."""
    assert overlap(one, other) is overlap(other, one) is met


def test_a_verdict_below_pass_names_itself() -> None:
    """The three verdicts are the evaluation's."""
    assert [one.value for one in Verdict] == ["pass", "fail", "inconclusive"]
    assert Standing(generation=1, state=State.LIVE).cutover == 0
