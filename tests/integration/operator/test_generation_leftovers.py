"""What a retired generation leaves on a broker: deleted by the controller, killed anywhere; what stays, and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from roggia_operator.generations.adapters.kafka_lag import embed_group, upsert_group
from roggia_operator.generations.client import Asked, GenerationClient, Plan
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.records import Output
from roggia_schemas import topics
from roggia_schemas.events import GenerationModel, GenerationState, GenerationWish

from tests.support.generation_fleet import GenerationFleet, generations
from tests.support.replaying import produce

pytestmark = pytest.mark.timeout(240)
TOPIC = topics.doc_embedded(2)
LETTERS = topics.dlq(TOPIC)
DONE = "retired; nothing of it is left"


async def test_groups_and_topics_go_and_others_stay(tmp_path: Path) -> None:
    """With kill -9 of the operator right after the wish, and again when it has begun to delete. The other generation's
    are untouched."""
    async with generations(tmp_path / "run") as (fleet, client):
        await _filled(fleet, client)
        before = set(await TopicAdmin(fleet.kafka).topics())
        await _retire(client)
        fleet.operator.kill()
        await asyncio.to_thread(fleet.operator.start)
        await fleet.until(client, 2, lambda one: "deletes" in one.side.message or one.side.message == DONE)
        fleet.operator.kill()
        await asyncio.to_thread(fleet.operator.start)
        await fleet.until(client, 2, lambda one: one.side.message == DONE)
        after = set(await TopicAdmin(fleet.kafka).topics())
        assert before - after == {TOPIC, LETTERS, f"{TOPIC}.replay", f"{TOPIC}.replay.dlq"}
        assert not {embed_group(2), upsert_group(2)} & set(await TopicAdmin(fleet.kafka).groups())
        assert embed_group(1) in await TopicAdmin(fleet.kafka).groups()


async def test_what_somebody_needs_stays_until_it_is_typed(tmp_path: Path) -> None:
    """A process that still reads, then dead letters: the state says which and why; the topic's name lets them go."""
    async with generations(tmp_path / "run") as (fleet, client):
        await _filled(fleet, client)
        await produce(fleet.kafka, [Output(LETTERS, b"acme/a", b"poison")])
        async with _reading(fleet):
            await _retire(client)
            pair = await fleet.until(client, 2, lambda one: "still work" in one.side.message)
            assert f"{upsert_group(2)}: 1 of its processes still work" in pair.side.message
            assert TOPIC in await TopicAdmin(fleet.kafka).topics()
        pair = await fleet.until(client, 2, lambda one: one.side.message.endswith("dead letters"))
        assert pair.side.message == f"retired; left: {LETTERS}: holds 1 dead letters"
        assert TOPIC not in await TopicAdmin(fleet.kafka).topics()
        await _retire(client, LETTERS)
        await fleet.until(client, 2, lambda one: one.side.message == DONE)
        assert LETTERS not in await TopicAdmin(fleet.kafka).topics()


async def _filled(fleet: GenerationFleet, client: GenerationClient) -> None:
    """Generation 2, which has read everything, and a baseline with commits of its own."""
    fleet.index.models = {1: "model@1"}
    await fleet.corpus()
    await client.plan(Plan(GenerationModel(uri="stub:2"), by="ops@example", why="a better model"))
    await fleet.state(client, 2, GenerationState.FILLING)
    await produce(fleet.kafka, [Output(TOPIC, b"acme/a", None)])
    for number in (1, 2):
        await fleet.read_all(number)
    await fleet.state(client, 2, GenerationState.SHADOW)


async def _retire(client: GenerationClient, typed: str = "") -> None:
    await client.wish(2, GenerationWish.RETIRE, Asked("ops@example", "no good", override=typed))


@asynccontextmanager
async def _reading(fleet: GenerationFleet) -> AsyncIterator[None]:
    """A process of the upsert role that has not heard of it."""
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=fleet.kafka.bootstrap, group_id=upsert_group(2))
    await consumer.start()
    try:
        yield
    finally:
        await consumer.stop()
