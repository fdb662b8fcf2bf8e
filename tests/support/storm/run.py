"""From a seed to a verdict: publish under faults, let everything settle, and compare with the model of the log."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics

from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.registry import Registry
from tests.support.storm import judge, model
from tests.support.storm.crew import Crew
from tests.support.storm.disk import SmallDisk
from tests.support.storm.faults import FAULTS
from tests.support.storm.nursery import Nursery
from tests.support.storm.plan import LONG, Plan, Scale, Step, plan
from tests.support.storm.scene import Scene
from tests.support.storm.settling import settle
from tests.support.storm.workload import Published, published

_BURST = 8
_PAUSE_S = 0.3
_SETTLE_S = 300.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out of a seed. `differences` must be empty; `died` are processes that ended by themselves."""

    plan: Plan
    records: int
    replayed: int
    died: tuple[str, ...]
    differences: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Ground:
    """What a run needs from outside: a new, running broker, a running registry, and where processes start."""

    broker: Broker
    registry: Registry
    nursery: Nursery


async def storm(seed: int, ground: Ground, data: Path, scale: Scale = LONG) -> Verdict:
    """Run a seed; `data` belongs to the run."""
    started = time.monotonic()
    disk = SmallDisk(data / "disk")
    content = data / "content"
    content.mkdir()
    codec = EventCodec(RegistrySettings(url=ground.registry.url), source="/test", register=True)
    crew = Crew(ground.broker, ground.nursery, data, disk.folder, ground.registry.url, content, scale)
    scene = Scene(plan(seed, scale), data, ground.broker, ground.registry, disk, crew, codec)
    try:
        await codec.start()
        work = published(scene.plan, codec, content)
        await apply_topics(crew.kafka)
        await asyncio.gather(*(asyncio.to_thread(crew.start, name) for name in ("ingest", "embed", "index")))
        await _publish(scene, work.outputs)
        await scene.calm()
        await settle(crew, _SETTLE_S)
        await _expired(scene)
        found = await _judged(scene, work)
    except Exception as error:
        error.add_note(f"{scene.plan}\n  begun: {scene.done}\n  ended by themselves: {scene.died}")
        raise
    finally:
        await scene.abandon()
        crew.kill_all()
        await codec.stop()
        disk.close()
    records, differences = found
    seconds = time.monotonic() - started
    return Verdict(scene.plan, records, scene.replayed, tuple(scene.died), tuple(differences), seconds)


async def _publish(scene: Scene, outputs: Sequence[Output]) -> None:
    """Send in small bursts, so that something is always under way; faults begin right after a burst."""
    steps, rng = list(scene.plan.steps), random.Random(scene.plan.seed)
    producer = Producer(scene.crew.kafka, "storm")
    await producer.start()
    try:
        for start in range(0, len(outputs), _BURST):
            await producer.send_all(outputs[start : start + _BURST])
            while steps and steps[0].after < start + _BURST:
                await asyncio.sleep(rng.uniform(0.0, 0.15))
                await _begin(scene, steps.pop(0))
            await asyncio.sleep(_PAUSE_S)
    finally:
        await producer.stop()


async def _begin(scene: Scene, step: Step) -> None:
    await scene.begin(step, FAULTS[step.fault])


async def _expired(scene: Scene) -> None:
    """Expiries come by time, not by record: let the ticker pass, then settle what it made."""
    for _ in range(8):
        await asyncio.sleep(0.4)
    await settle(scene.crew, _SETTLE_S)


async def _judged(scene: Scene, work: Published) -> tuple[int, list[str]]:
    crew, codec = scene.crew, scene.codec
    live, chunked, embedded = topics.DOC_CHANGED, topics.doc_chunked(1), topics.doc_embedded(1)
    want = await model.expected(await crew.records(live), work.fates, codec)
    await model.lane(want, await crew.records(topics.replay(live)), work.fates, codec)
    wrong = await judge.chunked(want, await crew.records(chunked), codec)
    wrong += await judge.upserted(want, await crew.records(topics.DOC_UPSERTED), codec)
    wrong += judge.letters(want.letters, await crew.records(topics.dlq(live)))
    wrong += judge.letters(want.lane_letters, await crew.records(topics.dlq(topics.replay(live))))
    for topic in (chunked, topics.replay(chunked), embedded, topics.replay(embedded)):
        wrong += [f"dead letter in {topic}: {letter.headers}" for letter in await crew.records(topics.dlq(topic))]
    await asyncio.gather(*map(crew.leave, list(crew.processes)))
    wrong += judge.catalogue(want, scene.disk.folder / "catalogue.sqlite3")
    wrong += judge.cache(want, scene.disk.folder / "vectors.sqlite3")
    wrong += await judge.index(want, scene.data / "index")
    return want.records, wrong
