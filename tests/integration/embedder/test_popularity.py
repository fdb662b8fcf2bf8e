"""The popularity role as its own app builds it, Faust and all, on a broker of its own."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
import pytest
from roggia_embedder.popularity.decay import rank_weight
from roggia_runtime.clock import now_ms
from roggia_runtime.records import Output
from roggia_runtime.settings import KafkaSettings
from roggia_schemas.topics import RETRIEVAL_SERVED

from tests.support.clients import eventually
from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.loops import settings
from tests.support.popularity import Zipf, popular, publish, running, served, service

pytest.importorskip("faust", reason="the popularity role needs Faust: pip install 'roggia[popularity]'")


async def prepared(broker: Broker) -> KafkaSettings:
    """A broker of one test alone, since group and topics have one name each; topics made."""
    made = settings(broker.bootstrap)
    await apply_topics(made)
    return made


async def counted(cluster: KafkaSettings, requests: Counter[str]) -> bool:
    """Whether what is published counts exactly these requests."""
    rows = await popular(cluster)
    return Counter({key: row.requests for key, row in rows.items() if row is not None}) == requests


async def test_what_was_served_becomes_popular(own_broker: Broker) -> None:
    """Every answer counts once, by rank; a record that nobody can read counts nothing and stops nothing; a restart goes
    on from what was published, and doubles nothing when the stop was graceful."""
    cluster = await prepared(own_broker)
    draws = Zipf(40, 1.0, seed=5)
    moment = now_ms()
    answers = [list(dict.fromkeys(f"d{n}" for n in draws.draw(3))) for _ in range(300)]
    requests = Counter(f"acme/{doc_id}" for answer in answers for doc_id in answer)
    poison = [
        Output(RETRIEVAL_SERVED, b"acme", b"\x00\x00\x00\x00\x05rubbish"),
        Output(RETRIEVAL_SERVED, b"acme", None),
    ]
    await publish(cluster, [served(answer, moment) for answer in answers[:200]], poison)
    await publish(cluster, [served(answer, moment) for answer in answers[200:250]])
    first = Counter(f"acme/{doc_id}" for answer in answers[:250] for doc_id in answer)
    async with running(service(cluster)):
        await eventually("the first 250 answers are counted", lambda: counted(cluster, first))
    await publish(cluster, [served(answer, moment) for answer in answers[250:]])
    async with running(service(cluster)) as made:
        await eventually("all 300 answers are counted", lambda: counted(cluster, requests))
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{made.http.port}/health/ready") as answer,
        ):
            assert (answer.status, (await answer.json())["status"]) == (200, "ready")
    rows = {key: row for key, row in (await popular(cluster)).items() if row is not None}
    for key, row in rows.items():
        wanted = sum(rank_weight(answer.index(row.doc_id) + 1) for answer in answers if row.doc_id in answer)
        assert row.score == pytest.approx(wanted, rel=1e-6), key
        assert row.as_of == moment


async def test_it_outlives_its_broker(devstack_alone: Broker) -> None:
    """While Kafka is away the role says so and lives; afterwards it goes on counting. What was in flight may double."""
    cluster = await prepared(devstack_alone)
    async with running(service(cluster)) as made:
        await publish(cluster, [served(["a"], now_ms())])
        await eventually("it counts", lambda: counted(cluster, Counter({"acme/a": 1})))
        devstack_alone.kill()
        await asyncio.sleep(0.4)
        devstack_alone.start()
        await publish(cluster, [served(["b"], now_ms()) for _ in range(5)])

        async def goes_on() -> bool:
            row = (await popular(cluster)).get("acme/b")
            return row is not None and row.requests >= 5

        await eventually("it counts again", goes_on, 60.0)
        await eventually("it is ready", lambda: asyncio.sleep(0, not made.health()))
