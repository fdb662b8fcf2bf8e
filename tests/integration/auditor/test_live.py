"""The live views as their own process builds them, Faust and all, on a broker of a test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from roggia_auditor.live.app import build
from roggia_auditor.live.settings import LiveOptions, LiveSettings
from roggia_runtime.clock import now_ms
from roggia_runtime.records import Output
from roggia_runtime.service import Service
from roggia_runtime.settings import HttpSettings, KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import InferenceCompleted, InferenceOutcome

from tests.support.auditing import attempt, inference, usage
from tests.support.auditor_fleet import prepare
from tests.support.clients import eventually
from tests.support.kafka import Broker
from tests.support.loops import settings
from tests.support.replaying import codec, produce

pytest.importorskip("faust", reason="the live views need Faust: pip install 'roggia[live]'")
TENANTS = [f"tenant-{n}" for n in range(9)]


def made(count: int, start: int = 0) -> list[InferenceCompleted]:
    """Inferences of nine tenants and two models, just now, one in ten failed."""
    return [
        inference(
            n,
            tenant_id=TENANTS[n % 9],
            occurred_at=now_ms(),
            outcome=InferenceOutcome.ERROR if n % 10 == 0 else InferenceOutcome.OK,
            attempts=(attempt(usage(input=n), model=f"model-{n % 2}"),),
            latency_ms=float(n + 1),
        )
        for n in range(start, start + count)
    ]


async def publish(kafka: KafkaSettings, events: Sequence[InferenceCompleted], more: Sequence[Output] = ()) -> None:
    """Produce them, and what else is given."""
    encoder = codec()
    await produce(kafka, [*(encoder.output(topics.INFERENCE_COMPLETED, event) for event in events), *more])


@asynccontextmanager
async def running(kafka: KafkaSettings) -> AsyncIterator[Service]:
    """The service until the block ends."""
    service = build(LiveSettings(kafka=kafka, http=HttpSettings(port=0), live=LiveOptions()))
    work = asyncio.create_task(service.run())
    try:
        yield service
    finally:
        service.stop()
        await work


async def asked(service: Service, query: str = "") -> dict[str, Any]:
    """What the API says."""
    url = f"http://127.0.0.1:{service.http.port}/v1/live{query}"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found


async def counted(service: Service, requests: int) -> bool:
    """Whether the hour holds so many requests, and everything was read."""
    if service.health():
        return False
    return bool((await asked(service))["total"]["60"]["requests"] == requests)


def sums(found: dict[str, Any]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Requests, tokens and errors of the hour by tenant and model."""
    cells = {(row["tenant"], row["model"]): row["windows"]["60"] for row in found["series"]}
    return {key: (cell["requests"], cell["tokens"], cell["errors"]) for key, cell in cells.items()}


def recomputed(events: Sequence[InferenceCompleted]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """The same from the events themselves."""
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    for event in events:
        key = event.tenant_id, event.attempts[-1].model
        requests, tokens, errors = found.get(key, (0, 0, 0))
        failed = event.outcome is InferenceOutcome.ERROR
        found[key] = requests + 1, tokens + event.attempts[-1].usage.input, errors + failed
    return found


async def test_views_are_those_of_the_topic_after_every_start(devstack_alone: Broker) -> None:
    """What was there before it started, what comes while it runs, what came while it was away: requests, tokens, errors
    and the median are those of the topic's last hour; a record that nobody can read stops nothing."""
    kafka = settings(devstack_alone.bootstrap)
    await prepare(kafka, [])
    events = made(200)
    poison = [Output(topics.INFERENCE_COMPLETED, b"tenant-1", b"\x00\x00\x00\x00\x05rubbish")]
    await publish(kafka, events, poison)
    async with running(kafka) as service:
        await eventually("the 200 before it are counted", lambda: counted(service, 200), 60)
        events += made(50, 200)
        await publish(kafka, events[200:])
        await eventually("so are 50 more", lambda: counted(service, 250), 60)
        assert sums(await asked(service)) == recomputed(events)
    events += made(50, 250)
    await publish(kafka, events[250:])
    async with running(kafka) as service:
        await eventually("all 300 are counted", lambda: counted(service, 300), 60)
        found = await asked(service)
        assert sums(found) == recomputed(events)
        assert found["total"]["60"]["p50_ms"] == pytest.approx(sorted(one.latency_ms for one in events)[149], rel=0.01)
        assert sum(one["offset"] for one in found["as_of"]) == 301
        assert set(sums(await asked(service, "?tenant=tenant-3"))) == {("tenant-3", "model-0"), ("tenant-3", "model-1")}


async def test_it_outlives_its_broker(devstack_alone: Broker) -> None:
    """While Kafka is away the process lives, and shows what it has; afterwards nothing is missing and nothing twice."""
    kafka = settings(devstack_alone.bootstrap)
    await prepare(kafka, [])
    await publish(kafka, made(20))
    async with running(kafka) as service:
        await eventually("20 are counted", lambda: counted(service, 20), 60)
        devstack_alone.kill()
        await asyncio.sleep(0.4)
        assert (await asked(service))["total"]["60"]["requests"] == 20
        devstack_alone.start()
        await publish(kafka, made(20, 20))
        await eventually("40 are counted", lambda: counted(service, 40), 60)
