"""Producing and fetching: compressions, idempotence, offsets, long polls, deletion; on devstack and on Apache Kafka."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import struct
import time
from collections.abc import Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, OffsetOutOfRangeError
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as ConfluentPartition

from tests.support.batches import batch
from tests.support.clients import (
    PATIENCE_S,
    RawConnection,
    admin,
    consumer,
    eventually,
    make_topic,
    producer,
    read_all,
    send,
)
from tests.support.kafka import Broker

Name = Callable[[str], str]
Sent = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
CORRUPT, INVALID_RECORD, OUT_OF_ORDER, TOO_LARGE, STALE_EPOCH = 2, 87, 45, 10, 47


def confluent_read(
    bootstrap: str, topic: str, count: int
) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    """Read `count` records of partition 0 with librdkafka."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    reader.assign([ConfluentPartition(topic, 0, 0)])
    rows: list[Sent] = []
    try:
        while len(rows) < count:
            message = reader.poll(10)
            assert message is not None, f"only {len(rows)} of {count} records"
            assert message.error() is None, message.error()
            rows.append((message.key(), message.value(), message.headers() or []))
    finally:
        reader.close()
    return rows


@pytest.mark.parametrize("codec", CODECS)
async def test_what_goes_in_comes_out(kafka: Broker, topic_name: Name, codec: str) -> None:
    """Keys, nulls, headers and order survive from either client to either client, in every compression."""
    topic = make_topic(kafka.bootstrap, topic_name(codec))
    sent: list[Sent] = [
        (b"%d" % n if n % 3 else None, b"v" * n * 50 if n % 4 or n % 3 == 0 else None, [("h", b"%d" % n)])
        for n in range(1, 101)
    ]
    compression = None if codec == "none" else codec
    async with producer(kafka.bootstrap, compression_type=compression, linger_ms=20) as client:
        for pending in [await client.send(topic, value, key, headers=headers) for key, value, headers in sent]:
            await pending
    other = Producer({"bootstrap.servers": kafka.bootstrap, "compression.type": codec, "enable.idempotence": True})
    for key, value, headers in sent:
        other.produce(topic, value, key, headers=headers)
    assert other.flush(PATIENCE_S) == 0
    records = await read_all(kafka.bootstrap, topic)
    assert [(r.key, r.value, list(r.headers)) for r in records] == sent * 2
    assert [r.offset for r in records] == list(range(200))
    assert confluent_read(kafka.bootstrap, topic, 200) == sent * 2


def test_duplicates_and_gaps_in_sequences(kafka: Broker, topic_name: Name) -> None:
    """A batch sent again is acknowledged with its first offset and stored once; a gap and an old epoch are refused."""
    topic = make_topic(kafka.bootstrap, topic_name("idempotent"))
    pid = secrets.randbelow(10**6) + 10**9
    now = int(time.time() * 1000)
    with RawConnection(kafka.bootstrap) as raw:
        first = batch([(b"k", b"v")] * 3, producer=(pid, 0, 0), timestamp_ms=now)
        second = batch([(b"k", b"v")] * 2, producer=(pid, 0, 3), timestamp_ms=now)
        assert raw.produce(topic, first) == (0, 0)
        assert raw.produce(topic, second) == (0, 3)
        assert raw.produce(topic, first) == (0, 0)
        assert raw.produce(topic, second) == (0, 3)
        gap = batch([(b"k", b"v")], producer=(pid, 0, 9), timestamp_ms=now)
        assert raw.produce(topic, gap)[0] == OUT_OF_ORDER
        newer = batch([(b"k", b"v")], producer=(pid, 1, 0), timestamp_ms=now)
        assert raw.produce(topic, newer) == (0, 5)
        assert raw.produce(topic, batch([(b"k", b"v")], producer=(pid, 0, 5), timestamp_ms=now))[0] == STALE_EPOCH


def test_damaged_batches_are_refused(kafka: Broker, topic_name: Name) -> None:
    """A wrong checksum, and a record without a key for a compacted topic, are refused; good ones go on."""
    topic = make_topic(kafka.bootstrap, topic_name("damaged"), cleanup_policy="compact")
    good = batch([(b"k", b"v" * 30)], timestamp_ms=int(time.time() * 1000))
    with RawConnection(kafka.bootstrap) as raw:
        assert raw.produce(topic, good[:-5] + bytes([good[-5] ^ 1]) + good[-4:])[0] == CORRUPT
        assert raw.produce(topic, batch([(None, b"v")], timestamp_ms=int(time.time() * 1000)))[0] == INVALID_RECORD
        assert raw.produce(topic, good) == (0, 0)


async def test_too_large_batches_are_refused(kafka: Broker, topic_name: Name) -> None:
    """max.message.bytes holds per topic."""
    topic = make_topic(kafka.bootstrap, topic_name("small"), max_message_bytes="2000")
    async with producer(kafka.bootstrap) as client:
        with pytest.raises(MessageSizeTooLargeError):
            await client.send_and_wait(topic, b"x" * 3000)
    await send(kafka.bootstrap, topic, [b"x" * 1000])
    assert len(await read_all(kafka.bootstrap, topic)) == 1


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack(">i", -1),
        struct.pack(">i", 2**31 - 1) + b"x" * 100,
        struct.pack(">i", 10) + b"\xff" * 10,
        struct.pack(">ihhih", 14, 3, 12, 1, 4) + b"\xff" * 8,
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    ],
    ids=["negative", "huge", "unknown-api", "short-header", "http"],
)
def test_malformed_frames_close_their_connection_alone(kafka: Broker, topic_name: Name, frame: bytes) -> None:
    """A frame that makes no sense closes its connection; another one, open all the while, goes on."""
    topic = make_topic(kafka.bootstrap, topic_name("calm"))
    with RawConnection(kafka.bootstrap) as calm, RawConnection(kafka.bootstrap) as raw:
        raw.write(frame)
        assert raw.closed()
        assert calm.produce(topic, batch([(b"k", b"v")], timestamp_ms=int(time.time() * 1000))) == (0, 0)


async def test_offsets_by_position_and_time(kafka: Broker, topic_name: Name) -> None:
    """Earliest, latest and by time, inside compressed batches, on both clients."""
    topic = make_topic(kafka.bootstrap, topic_name("time"), retention_ms="-1")
    partition, base = TopicPartition(topic, 0), int(time.time() * 1000) - 10_000
    async with producer(kafka.bootstrap, compression_type="zstd", linger_ms=50) as client:
        sends = [await client.send(topic, b"x", partition=0, timestamp_ms=base + 10 * n) for n in range(100)]
        await asyncio.gather(*sends)
    async with consumer(kafka.bootstrap, topic) as reader:
        assert await reader.beginning_offsets([partition]) == {partition: 0}
        assert await reader.end_offsets([partition]) == {partition: 100}
        for wanted, offset in [(0, 0), (base + 505, 51), (base + 990, 99)]:
            found = (await reader.offsets_for_times({partition: wanted}))[partition]
            assert found is not None
            assert (found.offset, found.timestamp) == (offset, base + 10 * offset)
        assert (await reader.offsets_for_times({partition: base + 991}))[partition] is None
    other = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": topic})
    assert other.get_watermark_offsets(ConfluentPartition(topic, 0), timeout=10) == (0, 100)
    assert [p.offset for p in other.offsets_for_times([ConfluentPartition(topic, 0, base + 505)], timeout=10)] == [51]
    other.close()


async def test_long_poll_answers_at_once(kafka: Broker, topic_name: Name) -> None:
    """A waiting fetch is answered when a record comes, not when its wait is over."""
    topic = make_topic(kafka.bootstrap, topic_name("poll"))
    async with consumer(kafka.bootstrap, topic, fetch_max_wait_ms=5000) as reader, producer(kafka.bootstrap) as client:
        await client.send_and_wait(topic, b"first")
        await reader.getone()
        took = []
        for _ in range(20):
            started = time.perf_counter()
            await client.send_and_wait(topic, b"x")
            await asyncio.wait_for(reader.getone(), 4)
            took.append(time.perf_counter() - started)
    assert statistics.median(took) < 0.25, took


async def test_out_of_range(kafka: Broker, topic_name: Name) -> None:
    """An offset beyond the end is an error that the client sees, with no reset to hide it."""
    topic = make_topic(kafka.bootstrap, topic_name("range"))
    await send(kafka.bootstrap, topic, [b"x"])
    async with consumer(kafka.bootstrap, topic, auto_offset_reset="none") as reader:
        reader.seek(TopicPartition(topic, 0), 5)
        with pytest.raises(OffsetOutOfRangeError):
            await asyncio.wait_for(reader.getone(), PATIENCE_S)


async def test_deleted_records(kafka: Broker, topic_name: Name) -> None:
    """DeleteRecords moves the start; what is left is read from there."""
    topic = make_topic(kafka.bootstrap, topic_name("delete"))
    await send(kafka.bootstrap, topic, [b"%d" % n for n in range(10)])
    wanted = ConfluentPartition(topic, 0, 4)
    done = admin(kafka.bootstrap).delete_records([wanted])[wanted].result(PATIENCE_S)
    assert done.low_watermark == 4
    assert [record.offset for record in await read_all(kafka.bootstrap, topic)] == list(range(4, 10))


async def test_retention_by_time(kafka: Broker, topic_name: Name) -> None:
    """Old records go within moments of their time, the end offset stays."""
    topic = make_topic(kafka.bootstrap, topic_name("old"), retention_ms="300", segment_ms="100")
    await send(kafka.bootstrap, topic, [b"x"] * 5)
    partition = TopicPartition(topic, 0)
    async with consumer(kafka.bootstrap, topic) as reader:

        async def expired() -> bool:
            return await reader.beginning_offsets([partition]) == {partition: 5}

        await eventually("all records are gone", expired)
        assert await reader.end_offsets([partition]) == {partition: 5}


async def test_compaction_and_tombstones(kafka: Broker, topic_name: Name) -> None:
    """Of every key the last record stays with its offset; a tombstone goes after its retention."""
    topic = make_topic(
        kafka.bootstrap,
        topic_name("compact"),
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.01",
        delete_retention_ms="100",
    )
    async with producer(kafka.bootstrap, compression_type="lz4") as client:
        for n in range(30):
            await client.send_and_wait(topic, b"%d" % n, b"often")
        await client.send_and_wait(topic, b"here", b"once")
        await client.send_and_wait(topic, b"soon", b"gone")
        await client.send_and_wait(topic, None, b"gone")
        for n in range(200):
            # The active segment is never compacted: later records push the others out of it.
            await asyncio.sleep(0.1)
            await client.send_and_wait(topic, b"%d" % n, b"push")
            rows = [(r.offset, r.key, r.value) for r in await read_all(kafka.bootstrap, topic) if r.key != b"push"]
            if rows == [(29, b"often", b"29"), (30, b"once", b"here")]:
                return
    raise AssertionError(rows)
