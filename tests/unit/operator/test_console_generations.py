"""What the console shows of generations, and what its actions on them plan and ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from msgspec import structs
from roggia_operator.console.generation_picture import picture
from roggia_operator.console.live_generations import KINDS, GenerationActions
from roggia_operator.console.views import CollectionRow, Plan
from roggia_operator.errors import GenerationError, SelectionError
from roggia_operator.generations.client import GenerationClient
from roggia_operator.generations.foretelling import with_baseline
from roggia_operator.generations.table import GenerationTable
from roggia_operator.generations.values import Rules
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import KafkaSettings, RegistrySettings
from roggia_schemas.events import GenerationMove, GenerationSide, GenerationState, GenerationWish, IndexGeneration

from tests.support.generations import row

NOW = 1_764_000_000_000
MOVE = GenerationMove(at=NOW, before="SHADOW", after="LIVE", by="ops@host", why="better", evidence={"report": "r1"})


class NotedClient(GenerationClient):
    """A client of rows in memory that notes what it would send."""

    def __init__(self, *rows: IndexGeneration) -> None:
        super().__init__(KafkaSettings(), EventCodec(RegistrySettings(), source="test"))
        self.held, self.sent = list(rows), list[IndexGeneration]()

    async def table(self) -> GenerationTable:
        return with_baseline(self.held, 1, NOW) if self.held else GenerationTable()

    async def send(self, wanted: IndexGeneration) -> IndexGeneration:
        self.sent.append(wanted)
        return wanted


def sides(number: int, state: GenerationState, **facts: object) -> tuple[IndexGeneration, IndexGeneration]:
    """Both sides of a generation."""
    held = row(number, state, **facts)
    return structs.replace(held, side=GenerationSide.WANTED, state=GenerationState.PLANNED, history=()), held


async def planned(client: NotedClient, verb: str, number: int, **form: str) -> Plan:
    """The plan of an action with a form's fields."""
    return await GenerationActions(client, Rules()).plan(f"generation-{verb}", {"generation": str(number)} | form)


async def confirmed(client: NotedClient, plan: Plan, reason: str = "") -> IndexGeneration:
    """What confirming a plan sends."""
    place = await GenerationActions(client, Rules()).start(plan.kind, plan.payload, who="console", reason=reason)
    assert place == f"/generations/{json.loads(plan.payload)['generation']}"
    return client.sent[-1]


def facts(plan: Plan) -> Mapping[str, str]:
    """What a plan says, by label."""
    return dict(plan.facts)


async def test_a_promotion_says_who_serves_then_and_rests_on_its_report() -> None:
    """The plan names the report and whom readers get before and after; what is sent is that, with the reason."""
    client = NotedClient(*sides(2, GenerationState.SHADOW, selection=("acme/hr",)))
    plan = await planned(client, "promote", 2, report="r1")
    assert facts(plan)["acme/hr"] == "g1, then g2"
    assert (facts(plan)["Gate's report"], plan.refused) == ("r1", "")
    sent = await confirmed(client, plan, "measured")
    assert (sent.generation, sent.wish, sent.report, sent.by, sent.why) == (
        2, GenerationWish.SERVE, "r1", "console", "measured",
    )  # fmt: skip


async def test_doing_without_the_gate_needs_a_reason_and_a_name() -> None:
    """No evidence, two kinds of it, or nobody who answers for it: refused by field. Both given: both are kept."""
    client = NotedClient(*sides(2, GenerationState.SHADOW))
    for wrong, field in (({}, "report"), ({"report": "r", "override": "o"}, "report"), ({"override": "o"}, "name"),
                         ({"override": "o", "name": "models"}, "name")):  # fmt: skip
        with pytest.raises(SelectionError, match=f"^{field}:"):
            await planned(client, "promote", 2, **wrong)
    plan = await planned(client, "promote", 2, override="the set is old", name="Ada")
    assert any("gate is not asked" in one for one in plan.warnings)
    sent = await confirmed(client, plan)
    assert (sent.override, sent.by) == ("the set is old", "Ada (console)")


async def test_a_rollback_says_what_it_goes_back_to() -> None:
    """From the one that serves to the one beneath; a reason may be given and need not."""
    client = NotedClient(*sides(2, GenerationState.LIVE, cutover=1, history=(MOVE,), wish=GenerationWish.SERVE))
    plan = await planned(client, "rollback", 2)
    assert facts(plan)["Goes over to"].startswith("ROLLED_BACK")
    assert facts(plan)["every knowledge base that no selection names"] == "g2, then g1"
    assert not plan.needs_reason
    assert (await confirmed(client, plan)).wish is GenerationWish.ROLL_BACK


async def test_what_the_guards_refuse_cannot_be_confirmed() -> None:
    """A rollback to nothing is refused in the plan; retiring is warned of and needs a reason."""
    live = sides(2, GenerationState.LIVE, cutover=1, history=(MOVE,))
    plan = await planned(NotedClient(*live, *sides(1, GenerationState.RETIRED)), "rollback", 2)
    assert plan.refused.startswith("nothing older follows")
    client = NotedClient(*live, *sides(3, GenerationState.SHADOW))
    plan = await planned(client, "retire", 3)
    assert (plan.refused, plan.needs_reason) == ("", True)
    assert "no way back" in plan.warnings[0]
    assert (await confirmed(client, plan, "too slow")).wish is GenerationWish.RETIRE


@pytest.mark.parametrize(("verb", "paused"), [("pause", True), ("resume", False)])
async def test_pausing_and_going_on_leave_the_wish_as_it_is(verb: str, paused: bool) -> None:
    """Only `paused` changes."""
    wanted, state = sides(2, GenerationState.FILLING, paused=not paused, by="ops", why="bge")
    client = NotedClient(wanted, state)
    sent = await confirmed(client, await planned(client, verb, 2))
    assert sent == structs.replace(wanted, paused=paused)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "state", [GenerationState.FILLING, GenerationState.SHADOW, GenerationState.LIVE, GenerationState.RETIRED]
)
async def test_what_a_state_does_not_allow_is_not_planned(kind: str, state: GenerationState) -> None:
    """An action is planned exactly where the page offers it, whatever a form asks for."""
    client = NotedClient(*sides(2, state, cutover=1 if state is GenerationState.LIVE else 0))
    shown = next(one for one in picture(await client.table(), 1, None).rows if one.number == 2)
    asked = GenerationActions(client, Rules()).plan(kind, {"generation": "2", "report": "r1"})
    if kind.removeprefix("generation-") in shown.doable:
        assert (await asked).kind == kind
        return
    with pytest.raises(SelectionError, match="is not possible"):
        await asked


async def test_a_generation_that_moved_since_the_plan_is_not_touched() -> None:
    """Confirmed late: it says so, and nothing is sent."""
    client = NotedClient(*sides(2, GenerationState.SHADOW))
    plan = await planned(client, "retire", 2)
    client.held = list(sides(2, GenerationState.LIVE, cutover=1))
    with pytest.raises(GenerationError, match="was SHADOW when this was planned, now it is LIVE"):
        await confirmed(client, plan)
    assert client.sent == []


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 20, "²"])
async def test_what_is_no_generation_is_refused_by_field(number: str) -> None:
    """A form names the generation by its number."""
    with pytest.raises(SelectionError, match=r"^generation:"):
        await GenerationActions(NotedClient(), Rules()).plan("generation-pause", {"generation": number})


async def test_only_the_baseline_is_there() -> None:
    """Before the first plan: it is shown, and nothing can be done to it."""
    shown = picture(with_baseline([], 1, NOW), 1, None)
    assert [(one.number, one.state, one.baseline) for one in shown.rows] == [(1, "LIVE", True)]
    with pytest.raises((SelectionError, GenerationError)):
        await planned(NotedClient(), "retire", 1)


def test_progress_history_and_readers_are_shown() -> None:
    """Share, rate and time left; moves with who, why and evidence; the generation that the record lets serve beside the
    one that the alias gives."""
    counts = {"offsets": 200, "done": 50, "rate": 7, "left_s": 21, "end.0": 99}
    table = with_baseline(
        [
            *sides(2, GenerationState.LIVE, cutover=1, history=(MOVE,), selection=("acme/hr",)),
            *sides(3, GenerationState.FILLING, counts=counts, canary=0.0),
        ],
        1,
        NOW,
    )
    held = [
        CollectionRow("kb_acme_hr__g1", "kb_acme_hr", 1, "m1", 4, 10),
        CollectionRow("kb_acme_hr__g2", "", 2, "m2", 4, 11),
        CollectionRow("kb_acme_kb__g1", "kb_acme_kb", 1, "m1", 4, 5),
        CollectionRow("somebody-elses", "", 1, "m1", 4, 0),
    ]
    shown = picture(table, 1, held)
    filling, live, baseline = shown.rows
    assert (filling.done, filling.offsets, filling.rate, filling.left_s) == (50, 200, 7.0, 21)
    assert (live.points, baseline.points, live.serves) == (11, 15, ("acme/hr",))
    assert [(one.by, one.why, dict(one.evidence)) for one in live.history] == [("ops@host", "better", {"report": "r1"})]
    bases = {one.name: (one.serves, one.readers) for one in shown.bases}
    assert bases["acme/hr"] == (2, 1) and bases["acme/kb"] == (1, 1)
    assert bases["every knowledge base that no selection names"] == (1, None)
