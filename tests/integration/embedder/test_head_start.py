"""A head start beside a real log pass, on a broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

from roggia_embedder.adapters.sqlite_cache import SqliteVectorCache
from roggia_embedder.generations.chunk_log import Committed, KafkaChunkLog
from roggia_embedder.generations.headstart import Filling, LaneLimits, head_start
from roggia_embedder.generations.key_index import Place
from roggia_embedder.generations.share import CountedModel, EncoderShare
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.loop import ConsumerLoop
from roggia_runtime.producer import Producer
from roggia_runtime.ranges import Span
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics

from tests.support.clients import eventually
from tests.support.embedding import chunk_set, codec
from tests.support.head_start import Fill, MemoryLog, scores
from tests.support.kafka import Broker
from tests.support.loops import settings

CHUNKED, EMBEDDED, GROUP = topics.doc_chunked(1), topics.doc_embedded(2), "roggia.embed.g2"
DOCUMENTS = 60


async def filled(broker: Broker) -> KafkaSettings:
    """A broker with a log of documents, two revisions each."""
    kafka = settings(broker.bootstrap)
    async with TopicAdmin(kafka) as admin:
        await admin.apply([topics.spec(name) for name in (CHUNKED, topics.dlq(CHUNKED), EMBEDDED)])
    producer = Producer(kafka)
    await producer.start()
    events = [chunk_set(f"d{n}", [f"{n} revision {r}"], r) for r in (1, 2) for n in range(DOCUMENTS)]
    await producer.deliver([codec().output(CHUNKED, event) for event in events])
    await producer.stop()
    return kafka


async def test_places_are_read_as_they_are(devstack_alone: Broker) -> None:
    """The scan names every record; places of all partitions, in any order, give exactly their records; a place that
    holds none gives nothing."""
    kafka = await filled(devstack_alone)
    async with KafkaChunkLog(kafka, CHUNKED) as log:
        spans = await log.spans()
        held = [record async for record in log.scan(spans)]
        assert len(held) == 2 * DOCUMENTS
        wanted = held[::7][::-1]
        read = await log.read([Place(record.partition, record.offset, 1) for record in wanted])
        assert {(r.key, r.partition, r.offset, r.value) for r in read} == {
            (r.key, r.partition, r.offset, r.value) for r in wanted
        }
        assert await log.read([]) == []
    async with KafkaChunkLog(kafka, "doc.chunked.c9") as log:
        assert await log.spans() == {}


async def test_the_log_pass_meets_the_cache(devstack_alone: Broker, tmp_path: Path) -> None:
    """Popular documents are embedded at their newest revision first; the log pass then encodes what else there is,
    nothing twice; once it is through, the lane knows."""
    kafka = await filled(devstack_alone)
    cache = SqliteVectorCache(tmp_path / "vectors.sqlite3")
    await cache.start()
    fill = Fill(MemoryLog(), scores(**{f"d{n}": 1.0 + n for n in range(20)}), cache=cache)
    share = EncoderShare(0.5, idle_s=0.0)
    filling = Filling(2, (), fill.handler(CountedModel(fill.model, share.lane)), fill.popular)
    head = head_start(
        settings=kafka, topic=CHUNKED, group=GROUP, filling=filling, share=share, limits=LaneLimits(round_s=0.1)
    )
    lane = asyncio.create_task(head.run())
    await eventually("20 are embedded", lambda: asyncio.sleep(0, len(fill.model.encoded) >= 20))
    assert sorted(fill.model.encoded) == sorted(f"{n} revision 2" for n in range(20))
    loop = ConsumerLoop(
        settings=kafka,
        group=GROUP,
        topics=[CHUNKED],
        handler=fill.handler(CountedModel(fill.model, share.log)),
        stage="embed",
    )
    work = asyncio.create_task(loop.run())
    await eventually("the log pass is through", lambda: asyncio.sleep(0, head.through))
    ends = {n: span.end for n, span in (await _spans(kafka)).items()}
    assert dict(await Committed(kafka, GROUP, CHUNKED)()) == ends
    for worker in (head, loop):
        worker.stop()
    await asyncio.gather(lane, work)
    await cache.close()
    newest = [text for text in fill.model.encoded if text.endswith("revision 2")]
    assert sorted(newest) == sorted(f"{n} revision 2" for n in range(DOCUMENTS)), "each newest text is encoded once"


async def _spans(kafka: KafkaSettings) -> dict[int, Span]:
    async with KafkaChunkLog(kafka, CHUNKED) as log:
        return dict(await log.spans())
