"""One chaos run over the whole pipeline: publish a workload slice by slice, disturb after each, and judge the end."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import DocChunked, DocUpserted
from roggia_schemas.names import Version

from tests.support.fleet import Fleet
from tests.support.workload import Workload

Disturbance = tuple[str, Callable[["Run"], Awaitable[None]]]


@dataclass
class Run:
    """A fleet under disturbance. `done` lists what was done to it, for the report."""

    fleet: Fleet
    workload: Workload
    codec: EventCodec = field(default_factory=lambda: EventCodec(RegistrySettings(), source="/test"))
    done: list[str] = field(default_factory=list)

    async def execute(self, disturbances: Sequence[Disturbance], settle_s: float) -> None:
        """Publish one slice per disturbance, disturb while it is being processed, and wait for the end of it all."""
        producer = Producer(self.fleet.kafka, "workload")
        await producer.start()
        try:
            for (name, disturb), events in zip(disturbances, self.workload.slices(len(disturbances)), strict=True):
                before = await self.fleet.total(topics.DOC_UPSERTED)
                await producer.send_all([self.codec.output(topics.DOC_CHANGED, event) for event in events])
                await self._processing(before + len(events) // 4)
                await disturb(self)
                self.done.append(name)
                self.done.extend(f"died by itself: {dead}" for dead in self.fleet.revive())
        finally:
            await producer.stop()
        await self.fleet.settle(settle_s)

    async def _processing(self, until: int) -> None:
        """Wait until work is under way, so that a disturbance hits it; not for ever, it may be disturbed already."""
        await self.fleet.reach(topics.DOC_UPSERTED, until, patience_s=15.0)

    async def publish(self, records: Sequence[tuple[str, bytes | None, bytes | None]]) -> None:
        """Produce (topic, key, value) as they are."""
        await self.fleet.produce([Output(topic, key, value) for topic, key, value in records])


def kill(name: str) -> Disturbance:
    """kill -9 and start again."""

    async def disturb(run: Run) -> None:
        run.fleet.kill(name)
        run.fleet.start(name)

    return f"kill -9 {name}", disturb


def scale_out(name: str) -> Disturbance:
    """Start a second process of a kind."""

    async def disturb(run: Run) -> None:
        run.fleet.start(name)

    return f"start {name}", disturb


def scale_in(name: str) -> Disturbance:
    """SIGTERM; the process stays away."""

    async def disturb(run: Run) -> None:
        run.fleet.stop(name)
        del run.fleet.processes[name]

    return f"SIGTERM {name}", disturb


def broker(how: str) -> Disturbance:
    """Restart the broker, cleanly or after kill -9."""

    async def disturb(run: Run) -> None:
        if how == "kill -9":
            await asyncio.to_thread(run.fleet.broker.kill)
            await asyncio.to_thread(run.fleet.broker.start)
        else:
            await asyncio.to_thread(run.fleet.broker.restart)

    return f"broker {how}", disturb


def replay(topic: str, limit: int) -> Disturbance:
    """Replay old records of a topic into it."""

    async def disturb(run: Run) -> None:
        await run.fleet.replay(topic, limit)

    return f"replay {topic}", disturb


def full_schedule() -> list[Disturbance]:
    """Scale 1→2→1, SIGTERM, kill -9 of each service and of the broker, a broker restart, late and replayed records."""
    return [
        scale_out("ingest-2"),
        kill("ingest"),
        scale_out("embed-2"),
        kill("embed"),
        replay(topics.doc_embedded(1), 100),
        kill("index"),
        broker("kill -9"),
        kill("ingest-2"),
        scale_in("ingest-2"),
        scale_in("embed-2"),
        broker("restart"),
        replay(topics.DOC_CHANGED, 100),
        kill("index"),
        kill("ingest"),
        replay(topics.doc_embedded(1), 100),
        kill("embed"),
    ]


def short_schedule() -> list[Disturbance]:
    """What the full schedule does, once each, for a run of about a minute."""
    return [
        scale_out("ingest-2"),
        kill("ingest"),
        kill("embed"),
        broker("kill -9"),
        kill("index"),
        scale_in("ingest-2"),
        replay(topics.doc_embedded(1), 10),
    ]


async def check_chunked(run: Run) -> int:
    """`doc.chunked` under read_committed: versions of a document strictly rise, no duplicate. Returns the records."""
    versions: dict[bytes, list[Version]] = defaultdict(list)
    records = await run.fleet.records(topics.doc_chunked(1))
    for record in records:
        event = await run.codec.decode(DocChunked, record)
        versions[record.key or b""].append(Version(event.revision, event.epoch))
    wrong = {key: seen for key, seen in versions.items() if any(a >= b for a, b in itertools.pairwise(seen))}
    assert not wrong, f"{len(wrong)} documents with repeated or falling versions, e.g. {next(iter(wrong.items()))}"
    newest = {key: max(seen).revision for key, seen in versions.items()}
    want = {f"{tenant}/{doc}".encode(): event.revision for (tenant, doc), event in run.workload.last().items()}
    assert newest == want, f"{len(set(want.items()) ^ set(newest.items()))} differences in last revisions"
    return len(records)


async def check_upserted(run: Run) -> None:
    """The newest `doc.upserted` of every document is its last revision."""
    newest: dict[tuple[str, str], int] = {}
    for record in await run.fleet.records(topics.DOC_UPSERTED):
        event = await run.codec.decode(DocUpserted, record)
        key = (event.tenant_id, event.doc_id)
        newest[key] = max(newest.get(key, -1), event.revision)
    assert newest == {key: event.revision for key, event in run.workload.last().items()}


async def check_no_dead_letters(run: Run) -> None:
    """Nothing of a valid workload is a dead letter."""
    async with TopicAdmin(run.fleet.kafka) as admin:
        there = set(await admin.topics())
    for topic in (topics.DOC_CHANGED, topics.doc_chunked(1), topics.doc_embedded(1)):
        if topics.dlq(topic) in there:
            letters = await run.fleet.records(topics.dlq(topic))
            assert not letters, f"{topics.dlq(topic)}: {letters[0].headers}"
