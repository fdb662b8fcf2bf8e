"""Replays through the lanes of the whole pipeline, real services on a real broker, while live events come."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from roggia_runtime import replay
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.codec import Codec
from roggia_schemas.events import DocChunked, DocUpserted

from tests.support.kafka import Broker
from tests.support.pipeline import Pipeline, running

REPLAYABLE = (topics.DOC_CHANGED, topics.doc_chunked(1), topics.doc_embedded(1))


class Jobs:
    """Sends records through lanes, as replay jobs do."""

    def __init__(self, admin: TopicAdmin, producer: Producer) -> None:
        self._admin, self._producer = admin, producer

    async def records(self, topic: str) -> list[Record]:
        """Everything on a topic."""
        ends = await self._admin.end_offsets(topic)
        return [record for number in ends async for record in self._admin.read(topic, number, 0)]

    async def send(self, topic: str, records: list[Record], mode: str) -> None:
        """Send records of `topic` again."""
        for record in records:
            told = {
                replay.JOB: "j1",
                replay.TOPIC: topic,
                replay.PARTITION: str(record.partition),
                replay.OFFSET: str(record.offset),
                replay.MODE: mode,
            }
            kept = tuple(header for header in record.headers if header[0] not in told)
            headers = kept + tuple((name, text.encode()) for name, text in told.items())
            await self._producer.send(Output(topics.replay(topic), record.key, record.value, headers))


@asynccontextmanager
async def jobs(bootstrap: str) -> AsyncIterator[Jobs]:
    """Connected."""
    kafka = KafkaSettings(bootstrap=bootstrap)
    producer = Producer(kafka, "roggia-replay-j1")
    await producer.start()
    try:
        async with TopicAdmin(kafka) as admin:
            yield Jobs(admin, producer)
    finally:
        await producer.stop()


async def _write(pipeline: Pipeline, revision: int) -> None:
    for number in range(6):
        text = (
            None if number == 5 and revision > 1 else f"# Mill {number}\n\nWheel {revision} of mill {number} turns.\n"
        )
        await pipeline.publish(f"d{number}", revision, text, domain="docs" if revision < 3 or number % 2 else "wiki")


@pytest.mark.timeout(300)
async def test_replays_between_live_events_leave_what_the_newest_revisions_say(
    devstack_alone: Broker, tmp_path: Path
) -> None:
    """Random ranges of every topic, both modes: the newest revision is found, nothing dead, what ended stays ended."""
    chance = random.Random(4)
    async with running(devstack_alone.bootstrap, tmp_path) as pipeline, jobs(devstack_alone.bootstrap) as sender:
        for revision in (1, 2, 3):
            await _write(pipeline, revision)
            for topic in REPLAYABLE:
                records = await sender.records(topic)
                start = chance.randint(0, len(records) // 2)
                await sender.send(topic, records[start:], chance.choice((replay.SAME, replay.RENEW)))
        await pipeline.settle(120)
        before = len(await sender.records(topics.DOC_UPSERTED))
        await sender.send(topics.DOC_CHANGED, await sender.records(topics.DOC_CHANGED), replay.RENEW)
        await pipeline.settle(120)
        await _as_written(pipeline)
        renewed = await sender.records(topics.DOC_UPSERTED)
        assert len(renewed) >= before + 5
        told = [record for record in renewed if not replay.replayed(record.headers)]
        assert len({Codec().decode(DocUpserted, record.value or b"").event_id for record in told}) <= 6 * 3
        await _corpus_is_newest(await sender.records(topics.doc_chunked(1)))
        assert await pipeline.dead() == 0


async def _as_written(pipeline: Pipeline) -> None:
    for number in range(6):
        found = [
            (passage.doc_id, passage.text)
            for place in ("docs", "wiki")
            for passage in await pipeline.search(f"wheel of mill {number}", place, k=50)
            if passage.doc_id == f"d{number}"
        ]
        assert len(found) == (0 if number == 5 else 1), (number, found)
        assert all(f"Wheel 3 of mill {number}" in text for _, text in found)


async def _corpus_is_newest(records: list[Record]) -> None:
    last: dict[bytes | None, tuple[int, int]] = {}
    best: dict[bytes | None, tuple[int, int]] = {}
    for record in records:
        event = Codec().decode(DocChunked, record.value or b"")
        last[record.key] = (event.revision, event.epoch)
        best[record.key] = max(best.get(record.key, (0, 0)), last[record.key])
    assert last == best
    assert all(epoch > 0 for _, epoch in last.values())
