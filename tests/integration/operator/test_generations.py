"""The controller as a service: a generation's whole life on a broker, killed anywhere, refused where it should be."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from roggia_operator.generations.client import Asked, GenerationClient, Plan
from roggia_operator.generations.table import Pair
from roggia_runtime.admin import TopicAdmin
from roggia_schemas.events import GenerationModel, GenerationState, GenerationWish

from tests.support.generation_fleet import GenerationFleet, generations

pytestmark = pytest.mark.timeout(240)
FILLING, SHADOW, LIVE = GenerationState.FILLING, GenerationState.SHADOW, GenerationState.LIVE
ROLLED_BACK, RETIRED = GenerationState.ROLLED_BACK, GenerationState.RETIRED
PLAN = Plan(GenerationModel(uri="stub:2"), by="ops@example", why="a better model")


async def test_a_generation_lives(tmp_path: Path) -> None:
    """Planned, filled, shown, served, rolled back, served again; then the baseline goes. A rollback is decided at once,
    and every move says who wanted it and what it rests on."""
    async with generations(tmp_path / "run") as (fleet, client):
        await fleet.corpus()
        number = await client.plan(PLAN)
        pair = await fleet.state(client, number, FILLING)
        assert pair.side.counts["offsets"] == 6
        assert {
            "doc.embedded.g2",
            "doc.embedded.g2.replay",
            "doc.embedded.g2.dlq",
            "doc.embedded.g2.replay.dlq",
        } <= set(await TopicAdmin(fleet.kafka).topics())
        baseline = await client.get(1)
        assert (baseline.status, baseline.side.cutover) == (LIVE, 0)

        fleet.index.wrong = {2}
        await fleet.read_all(number)
        await fleet.until(client, number, lambda one: "missing 1" in one.side.message)
        fleet.index.wrong = set()
        pair = await fleet.state(client, number, SHADOW)
        assert (pair.side.counts["done"], pair.side.model.fingerprint) == (6, "model@2")

        await client.wish(number, GenerationWish.SERVE, Asked("ops@example", "at last", fleet.report("r1", number)))
        pair = await fleet.state(client, number, LIVE)
        assert pair.side.cutover == 1
        assert pair.side.history[-1].evidence["report"] == "r1"

        took = []
        for _ in range(5):
            took.append(await _rolled_back(fleet, client, number))
            await client.wish(number, GenerationWish.SERVE, Asked("ops@example", "once more", "r1"))
            await fleet.state(client, number, LIVE)
        print("rolled back within", sorted(round(one, 3) for one in took))
        assert sorted(took)[2] < 0.5

        await client.wish(1, GenerationWish.RETIRE, Asked("ops@example", "overtaken"))
        await fleet.state(client, 1, RETIRED)
        await client.wish(number, GenerationWish.ROLL_BACK, Asked("ops@example"))
        pair = await fleet.until(client, number, lambda one: one.answered and "nothing older" in one.side.message)
        assert pair.status is LIVE


async def test_what_may_not_happen_says_why(tmp_path: Path) -> None:
    """A gate that failed, a report of another, a third generation: each is refused with the reason, and nothing moves;
    a person's override is recorded with the name."""
    async with generations(tmp_path / "run") as (fleet, client):
        await fleet.corpus()
        number = await client.plan(PLAN)
        await fleet.state(client, number, FILLING)
        third = await client.plan(Plan(GenerationModel(uri="stub:3"), by="ops@example"))
        pair = await fleet.until(client, third, lambda one: one.state is not None and "refused" in one.side.message)
        assert "g1, g2 follow the log already" in pair.side.message
        await fleet.read_all(number)
        await fleet.state(client, number, SHADOW)
        for report, said in (
            (fleet.report("bad", number, "inconclusive"), "says inconclusive: as played"),
            (fleet.report("other", third), "is about g3"),
            ("gone", "is not there"),
            ("../r1", "is no id"),
            ('{"verdict": "pass"}', "it could be about any model"),
        ):
            await client.wish(number, GenerationWish.SERVE, Asked("ops@example", report=report))
            pair = await fleet.until(client, number, lambda one, said=said: said in one.side.message)  # type: ignore[misc]
            assert pair.status is SHADOW
        fleet.index.wrong = {1}
        await client.wish(number, GenerationWish.SERVE, Asked("ops@example", override="the old index is broken"))
        pair = await fleet.state(client, number, LIVE)
        assert pair.side.history[-1].evidence["overridden by"] == "ops@example"


async def test_a_service_does_not_undo_a_rollback(tmp_path: Path) -> None:
    """A service that says the same wish again and again has it carried out once; a person may ask once more."""
    async with generations(tmp_path / "run") as (fleet, client):
        await fleet.corpus()
        number = await client.plan(PLAN)
        await fleet.state(client, number, FILLING)
        await fleet.read_all(number)
        for by in ("models", "ops@example"):
            asked = Asked(by, "the champion", fleet.report("r1", number))
            await client.wish(number, GenerationWish.SERVE, asked)
            await fleet.state(client, number, LIVE)
            await client.wish(number, GenerationWish.ROLL_BACK, Asked("ops@example", "no good"))
            await fleet.state(client, number, ROLLED_BACK)
            await client.wish(number, GenerationWish.SERVE, asked)
            if by == "models":
                await fleet.until(client, number, lambda one: "say what changed" in one.side.message)
        await fleet.state(client, number, LIVE)


async def test_a_cutover_that_answers_badly_is_undone(tmp_path: Path) -> None:
    """Errors beyond those of the generation before roll it back without anybody, once, and the standing wish does not
    bring it back."""
    async with generations(tmp_path / "run") as (fleet, client):
        await fleet.corpus()
        number = await client.plan(PLAN)
        await fleet.state(client, number, FILLING)
        await fleet.read_all(number)
        fleet.index.outcomes = {(1, "ok"): 1000, (1, "error"): 1}
        await client.wish(number, GenerationWish.SERVE, Asked("ops@example", override="a test"))
        await fleet.until(client, number, lambda one: one.side.message == "serves, watched")
        await asyncio.sleep(0.45)
        fleet.index.outcomes[(2, "ok")], fleet.index.outcomes[(2, "error")] = 80, 20
        pair = await fleet.state(client, number, ROLLED_BACK)
        assert pair.side.history[-1].by == "roggia.operator.generations"
        assert pair.side.history[-1].why == "errors: 20 of 100, before 1 of 1001"
        await client.send(await client.changed(number, rate=5))
        pair = await fleet.until(client, number, lambda one: one.side.rate == 5)
        assert pair.status is ROLLED_BACK


async def test_killed_in_every_state_it_goes_on(tmp_path: Path) -> None:
    """kill -9 of the operator in each state, and right after each wish: every move is made, and recorded once."""
    async with generations(tmp_path / "run") as (fleet, client):
        await fleet.corpus()
        fleet.operator.kill()
        number = await client.plan(PLAN)
        await _again(fleet)
        await fleet.state(client, number, FILLING)
        await _again(fleet)
        await fleet.read_all(number)
        await _again(fleet)
        await fleet.state(client, number, SHADOW)
        await client.wish(number, GenerationWish.SERVE, Asked("ops@example", "go", fleet.report("r1", number)))
        await _again(fleet)
        await fleet.state(client, number, LIVE)
        await client.wish(number, GenerationWish.ROLL_BACK, Asked("ops@example", "no"))
        await _again(fleet)
        await fleet.state(client, number, ROLLED_BACK)
        await _again(fleet)
        await client.wish(number, GenerationWish.RETIRE, Asked("ops@example", "gone"))
        await _again(fleet)
        pair = await fleet.state(client, number, RETIRED)
        assert [move.after for move in pair.side.history] == [
            "PLANNED", "FILLING", "SHADOW", "LIVE", "ROLLED_BACK", "RETIRED"
        ]  # fmt: skip


async def _again(fleet: GenerationFleet) -> None:
    """kill -9, and another operator."""
    fleet.operator.kill()
    await asyncio.to_thread(fleet.operator.start)


async def _rolled_back(fleet: GenerationFleet, client: GenerationClient, number: int) -> float:
    """Seconds from the wish's record to the state's, as somebody sees it who follows the topic."""

    async def seen() -> Pair:
        async for pair, _ in client.follow(number, 0.01):
            if pair.status is ROLLED_BACK:
                return pair
        raise AssertionError("unreachable")

    looking = asyncio.create_task(seen())
    told = await client.wished(number, GenerationWish.ROLL_BACK, Asked("ops@example", "no good"))
    began = time.monotonic()
    await client.send(told)
    await looking
    return time.monotonic() - began
