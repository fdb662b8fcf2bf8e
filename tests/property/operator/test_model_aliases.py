"""Whatever aliases do, and whoever does not answer: only what passed serves, and in the end the alias that passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_operator.models import tags
from roggia_operator.models.canary import CanaryCounts, Objectives, judge
from roggia_operator.models.generations import State
from roggia_operator.models.reconciling import Outcome
from roggia_operator.models.values import CANDIDATE, CHAMPION, PREVIOUS, Verdict
from roggia_runtime.errors import ModelRegistryUnavailableError

from tests.support.model_world import World, quietly

NAMES = ("emb", "other")
names = st.sampled_from(NAMES)
versions = st.integers(1, 3)
aliases = st.sampled_from([CANDIDATE, CHAMPION, CHAMPION, PREVIOUS])

Step = Callable[[World], None]


def hand(work: Callable[[World], object]) -> Step:
    """A person's step; one that misses, or meets a registry that is down, changes nothing."""
    return lambda world: quietly(lambda: work(world))


def looked(world: World) -> None:
    """The poller's step: during an outage it changes nothing."""
    if not world.registry.down:
        world.look()
        return
    before = dict(world.rows)
    with pytest.raises(ModelRegistryUnavailableError):
        world.look()
    assert world.rows == before


def forged(world: World, name: str, version: int) -> None:
    """Somebody writes a verdict by hand, with a report that exists: another version's."""
    reports = [one for one in world.registry._reports.values() if (one.name, one.version) != (name, version)]
    report_id = reports[-1].report_id if reports else "none"
    held = world.version(name, version)
    told = {tags.GATE: "pass", tags.GATE_REPORT: report_id, tags.GATE_MANIFEST: "m1"}
    world.registry.set_tags(name, version, {**told, tags.GATE_FINGERPRINT: held.ref.fingerprint})


def failed(world: World) -> None:
    """A generation that is being filled fails."""
    for row in world.standings:
        if row.state in (State.PLANNED, State.FILLING):
            world.rows[row.generation] = replace(row, state=State.FAILED)
            return


def outage(world: World) -> None:
    """The server goes, or comes back."""
    world.registry.down = not world.registry.down


def hold(world: World) -> None:
    """Cutovers have to wait from now on, or may go on."""
    world.held_up = not world.held_up


steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda n, a, v: hand(lambda w: w.registry.set_alias(n, a, v)), names, aliases, versions),
    st.builds(lambda n, v: hand(lambda w: w.judge(n, v)), names, versions),
    st.builds(lambda n, v: hand(lambda w: w.judge(n, v, Verdict.FAIL)), names, versions),
    st.builds(lambda n, v: hand(lambda w: forged(w, n, v)), names, versions),
    st.builds(lambda n, a: hand(lambda w: w.registry.delete_alias(n, a)), names, aliases),
    st.builds(lambda n, v: hand(lambda w: w.registry.delete_version(n, v)), names, versions),
    st.sampled_from(
        [looked, looked, looked, World.advance, World.advance, World.roll_back, failed, outage, hold, hold]
    ),
)


def world_of_two() -> World:
    """Two models with three versions each, nothing filled."""
    made = World()
    for name in NAMES:
        for _ in range(3):
            made.log(name)
    return made


@settings(max_examples=400, deadline=None)
@given(st.lists(steps, max_size=40), names)
def test_only_what_passed_ever_serves_and_the_alias_that_passed_in_the_end(todo: list[Step], name: str) -> None:
    """Random moves of aliases, verdicts, forged verdicts, deletions, failures, rollbacks, outages, and cutovers that
    have to wait: nothing goes live without its own gate's evidence, nor when the alias has gone while it waited; then
    everything comes to rest; and a version promoted properly serves."""
    world = world_of_two()
    for step in todo:
        step(world)
    world.registry.down = False
    world.look()
    world.held_up = False
    world.settle()
    assert [lacking for _, lacking in world.served if lacking] == []

    chosen = world.log(name).version
    for other in NAMES:
        world.registry.delete_alias(other, CHAMPION)
    world.registry.set_alias(name, CANDIDATE, chosen)
    world.settle()
    world.judge(name, chosen)
    world.registry.set_alias(name, CHAMPION, chosen)
    world.settle()
    row = world.rows[world.serving()]
    assert (row.model, row.version) == (name, chosen)
    outcome = world.settle()
    assert (outcome.wishes, outcome.aliases) == ((), ())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(versions, st.integers(0, 2)), min_size=1, max_size=20))
def test_flapping_ends_at_the_last_alias(moves: list[tuple[int, int]]) -> None:
    """`champion` moved among three versions that passed, looked at between moves or not: the last one serves."""
    world = world_of_two()
    for version in (1, 2, 3):
        world.registry.set_alias("emb", CANDIDATE, version)
        world.settle()
        world.judge("emb", version)
    for version, looks in moves:
        world.registry.set_alias("emb", CHAMPION, version)
        for _ in range(looks):
            world.look()
    world.settle()
    assert world.rows[world.serving()].version == moves[-1][0]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(names, st.integers(0, 3), st.integers(0, 2)), max_size=20), names)
def test_two_models_come_to_rest_and_to_the_one_that_is_left(moves: list[tuple[str, int, int]], left: str) -> None:
    """Champions of two models that all passed, moved and deleted (0) at random: it comes to rest, with a version in
    service that passed or the baseline; and once one model alone has a champion, that one serves."""
    world = world_of_two()
    for name in NAMES:
        for version in (1, 2, 3):
            world.registry.set_alias(name, CANDIDATE, version)
            world.settle()
            world.judge(name, version)
    for name, version, looks in moves:
        world.registry.set_alias(name, CHAMPION, version) if version else world.registry.delete_alias(name, CHAMPION)
        for _ in range(looks):
            world.look()
    world.settle()
    outcome = world.look()
    assert (outcome.wishes, outcome.aliases) == ((), ())
    world.registry.set_alias(left, CHAMPION, 2)
    world.registry.delete_alias(next(name for name in NAMES if name != left), CHAMPION)
    world.settle()
    row = world.rows[world.serving()]
    assert (row.model, row.version) == (left, 2)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=30))
def test_at_rest_a_look_changes_nothing(todo: list[Step]) -> None:
    """Once settled, looking again wishes nothing and writes no alias: the reconciler does not oscillate."""
    world = world_of_two()
    for step in todo:
        step(world)
    world.registry.down = world.held_up = False
    world.settle()
    again: Outcome = world.look()
    assert (again.wishes, again.aliases) == ((), ())


@given(st.integers(1, 500), st.data())
def test_a_canary_passes_exactly_when_enough_were_within_the_objectives(least: int, data: st.DataObject) -> None:
    """Pass: at least N requests and every share within its objective. Fail: only when no number of good requests up to
    N could still make it pass. Anything else is inconclusive and says how many are due."""
    requests = data.draw(st.integers(0, 600))
    failed_, slow = data.draw(st.integers(0, min(requests, 40))), 0
    limits = Objectives(least_requests=least, failed=0.02)
    found = judge(CanaryCounts(requests, failed_, slow), limits)
    within = failed_ <= 0.02 * requests
    assert (found.verdict is Verdict.PASS) == (requests >= least and within)
    if found.verdict is Verdict.FAIL:
        assert failed_ > 0.02 * max(requests, least)
    if found.verdict is Verdict.INCONCLUSIVE:
        assert f"{least - requests} more" in found.missing[0]


@pytest.mark.parametrize("counts", [(1, 2), (1, -1), (3, 1, 1, 2)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, ...]) -> None:
    """A gate does not judge by counts that contradict themselves."""
    with pytest.raises(ValueError, match=r"must lie in 0\.\.requests"):
        CanaryCounts(*counts)
