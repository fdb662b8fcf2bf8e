"""The poller: what it keeps while nobody answers, what it repeats, what wakes it."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY
from roggia_operator.models.generations import Wish, WishKind
from roggia_operator.models.poller import Pace, Poller
from roggia_operator.models.values import CANDIDATE, CHAMPION, PREVIOUS
from roggia_runtime.errors import UnavailableError

from tests.support.model_world import World

SLOW = Pace(every_s=3600, least_s=0.01)


class Record:
    """Takes wishes, or fails to; `carry` hands them to the world's controller."""

    def __init__(self, world: World, *, carry: bool = True) -> None:
        self.world, self.carry, self.failing = world, carry, False
        self.taken: list[Wish] = []

    async def __call__(self, wish: Wish) -> None:
        if self.failing:
            raise UnavailableError("kafka: does not answer")
        self.taken.append(wish)
        if self.carry:
            self.world.take(wish)


@pytest.fixture
def world() -> World:
    """One model with two versions."""
    made = World()
    made.log("emb")
    made.log("emb")
    return made


def poller(world: World, record: Record, pace: Pace = SLOW) -> Poller:
    """A poller over the world."""
    return Poller(world.registry, lambda: world.standings, record, pace=pace)


async def serving(world: World, look: Poller, version: int) -> None:
    """Bring a version into service, the way people do."""
    world.registry.set_alias("emb", CANDIDATE, version)
    for _ in range(3):
        await look.look()
        world.advance()
    world.judge("emb", version)
    world.registry.set_alias("emb", CHAMPION, version)
    await look.look()
    await look.look()


async def test_it_brings_a_version_into_service_and_writes_previous(world: World) -> None:
    """From alias to cutover, and `previous` in the registry."""
    look = poller(world, Record(world))
    await serving(world, look, 1)
    await serving(world, look, 2)
    assert world.rows[world.serving()].version == 2
    assert world.registry.models()[0].aliases[PREVIOUS] == 1
    assert look.notes() == []


async def test_while_the_registry_is_away_the_last_known_holds_and_nothing_is_wished(world: World) -> None:
    """It says so in the notes of `/health/ready` and in a metric; the service stays ready; afterwards it goes on."""
    record = Record(world)
    look = poller(world, record)
    await serving(world, look, 1)
    seen, wished = look.view.models, len(record.taken)
    world.registry.set_alias("emb", CANDIDATE, 2)
    world.registry.down = True
    for _ in range(3):
        await look.look()
    assert (look.view.models, len(record.taken)) == (seen, wished)
    assert "does not answer" in look.notes()[0]
    assert "ago holds" in look.notes()[0]
    assert look.health() == []
    assert REGISTRY.get_sample_value("roggia_model_registry_up") == 0
    world.registry.down = False
    await look.look()
    assert look.notes() == []
    assert REGISTRY.get_sample_value("roggia_model_registry_up") == 1
    assert record.taken[-1].version == 2


async def test_a_refused_champion_is_an_alarm(world: World) -> None:
    """Metric, note and view say that the alias changes nothing, and what is missing."""
    look = poller(world, Record(world))
    world.registry.set_alias("emb", CHAMPION, 1)
    await look.look()
    labels = {"model": "emb", "alias": CHAMPION}
    assert REGISTRY.get_sample_value("roggia_model_alias_refused", labels) == 1
    assert REGISTRY.get_sample_value("roggia_model_alias", labels) == 1
    assert "make it candidate first" in look.notes()[0]
    world.registry.delete_alias("emb", CHAMPION)
    await look.look()
    assert REGISTRY.get_sample_value("roggia_model_alias_refused", labels) is None
    assert look.notes() == []


async def test_a_wish_is_written_once_until_it_may_have_been_lost(world: World) -> None:
    """A record that lags behind does not get the same wish at every look; one that stays due comes again."""
    record = Record(world, carry=False)
    world.registry.set_alias("emb", CANDIDATE, 1)
    look = poller(world, record)
    for _ in range(3):
        await look.look()
    assert [one.kind for one in record.taken] == [WishKind.FILL]
    often = poller(world, record, Pace(every_s=3600, again_s=0))
    await often.look()
    await often.look()
    assert len(record.taken) == 3


async def test_a_wish_that_could_not_be_written_comes_again(world: World) -> None:
    """Kafka away for a moment loses nothing."""
    record = Record(world)
    record.failing = True
    world.registry.set_alias("emb", CANDIDATE, 1)
    look = poller(world, record)
    await look.look()
    assert record.taken == []
    record.failing = False
    await look.look()
    assert [one.version for one in record.taken] == [1]


async def test_generations_that_are_not_known_are_not_taken_for_none(world: World) -> None:
    """Before the record is read, nothing is wished: a restart must not plan what is there already."""
    record = Record(world)
    world.registry.set_alias("emb", CANDIDATE, 1)
    look = Poller(world.registry, lambda: None, record, pace=SLOW)
    await look.look()
    assert record.taken == []
    assert "not known yet" in look.notes()[0]


async def test_waking_makes_the_next_look_come_at_once(world: World) -> None:
    """`run` looks when it starts, sleeps, and looks again when woken; stopping ends it."""
    record = Record(world)
    look = poller(world, record)
    task = asyncio.create_task(look.run())
    await until(lambda: look.view.looked_s > 0)
    world.registry.set_alias("emb", CANDIDATE, 1)
    look.wake()
    await until(lambda: bool(record.taken))
    look.stop()
    await asyncio.wait_for(task, 5)


async def until(condition: object) -> None:
    """Wait for a condition, five seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)
