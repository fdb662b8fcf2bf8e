"""Produce and Fetch, byte for byte."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kio.schema.errors import ErrorCode
from roggia_devstack.broker.app import Broker
from roggia_devstack.wire import apis

from tests.support.batches import batch
from tests.support.wire import RawClient, connect, request_frame, running_broker


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """A broker with the topic t of two partitions."""
    async with running_broker(tmp_path) as broker:
        client = await connect(broker.bootstrap)
        topic = {"name": "t", "num_partitions": 2, "replication_factor": 1, "assignments": [], "configs": []}
        await client.ask(apis.CREATE_TOPICS, 5, topics=[topic], timeout=1000)
        yield broker


def produce(records: bytes | None, *, acks: int = -1, partition: int = 0, transactional_id: str | None = None) -> Any:
    """The fields of a Produce request for one partition of t."""
    part = {"index": partition, "records": records}
    return {
        "transactional_id": transactional_id,
        "acks": acks,
        "timeout": 1000,
        "topic_data": [{"name": "t", "partition_data": [part]}],
    }


def fetch(*partitions: int, offset: int = 0, part_bytes: int = 1 << 20, **changes: Any) -> Any:
    """The fields of a Fetch request for partitions of t, by name."""
    parts = [{"partition": index, "fetch_offset": offset, "partition_max_bytes": part_bytes} for index in partitions]
    values = {"max_wait": 0, "min_bytes": 1, "max_bytes": 1 << 20, "forgotten_topics_data": []}
    return {**values, "topics": [{"topic": "t", "partitions": parts}], **changes}


async def sent(client: RawClient, records: bytes | None, **changes: Any) -> tuple[int, int]:
    """Produce; (error, base offset)."""
    answer = await client.ask(apis.PRODUCE, 8, **produce(records, **changes))
    part = answer["responses"][0]["partition_responses"][0]
    return part["error_code"], part["base_offset"]


async def fetched(client: RawClient, **request: Any) -> list[Any]:
    """Fetch; the answer's partitions."""
    answer = await client.ask(apis.FETCH, 11, **request)
    return list(answer["responses"][0]["partitions"])


async def test_a_batch_comes_back_as_it_was_but_for_its_place(broker: Broker) -> None:
    """Everything from the checksum on is kept as received; base offset and leader epoch are the broker's."""
    client = await connect(broker.bootstrap)
    one, two = batch([(b"k", b"v")]), batch([(b"k", b"w"), (None, b"x")], codec="zstd")
    assert await sent(client, one) == (0, 0)
    assert await sent(client, two) == (0, 1)
    (part,) = await fetched(client, **fetch(0))
    assert part["high_watermark"] == 3
    stored = part["records"]
    assert stored[: len(one)][16:] == one[16:]
    assert stored[len(one) :][16:] == two[16:]
    assert int.from_bytes(stored[len(one) : len(one) + 8]) == 1


@pytest.mark.parametrize(
    ("records", "changes", "code"),
    [
        (None, {}, ErrorCode.invalid_record),
        (b"", {}, ErrorCode.invalid_record),
        (b"x" * 60, {}, ErrorCode.invalid_record),
        (b"x" * 200, {}, ErrorCode.invalid_record),
        (batch([(b"k", b"v")]) * 2, {}, ErrorCode.invalid_record),
        (batch([(b"k", b"v")])[:-1] + b"!", {}, ErrorCode.corrupt_message),
        (batch([(b"k", b"v")]), {"acks": 2}, ErrorCode.invalid_required_acks),
        (batch([(b"k", b"v")]), {"partition": 2}, ErrorCode.unknown_topic_or_partition),
        (batch([(b"k", b"v")]), {"partition": -1}, ErrorCode.unknown_topic_or_partition),
        (batch([(b"k", b"v" * 1_100_000)]), {}, ErrorCode.message_too_large),
        (
            batch([(b"k", b"v")], producer=(5, 0, 0), transactional=True),
            {"transactional_id": "nobody"},
            ErrorCode.invalid_producer_id_mapping,
        ),
    ],
)
async def test_what_is_no_good_batch_is_refused(broker: Broker, records: Any, changes: Any, code: ErrorCode) -> None:
    """Each kind of bad batch gets its error, nothing is stored, and the connection goes on."""
    client = await connect(broker.bootstrap)
    assert await sent(client, records, **changes) == (code, -1)
    assert await sent(client, batch([(b"k", b"good")])) == (0, 0)


async def test_control_batches_are_the_brokers_own(broker: Broker) -> None:
    """A client that marks its batch as a control batch is refused: it could end other producers' transactions."""
    client = await connect(broker.bootstrap)
    forged = bytearray(batch([(b"\0\0\0\1", b"\0" * 6)]))
    forged[22] |= 0x20
    assert await sent(client, bytes(forged)) == (ErrorCode.invalid_record, -1)


async def test_acks_0_gets_no_answer(broker: Broker) -> None:
    """Without acks the batch is stored and nothing is sent back: the next answer belongs to the next request."""
    client = await connect(broker.bootstrap)
    await client.send(request_frame(apis.PRODUCE, 8, produce(batch([(b"k", b"v")]), acks=0), 99))
    (part,) = await fetched(client, **fetch(0))
    assert part["high_watermark"] == 1


async def test_a_long_poll_ends_when_something_arrives(broker: Broker) -> None:
    """A fetch of an empty partition is answered by the next append, long before its time is over."""
    reader, writer = await connect(broker.bootstrap), await connect(broker.bootstrap)
    poll = asyncio.ensure_future(fetched(reader, **fetch(0, 1, max_wait=20_000)))
    await asyncio.sleep(0.02)
    assert not poll.done()
    await sent(writer, batch([(b"k", b"v")]), partition=1)
    async with asyncio.timeout(2):
        parts = await poll
    assert [len(part["records"]) > 0 for part in parts] == [False, True]


async def test_a_long_poll_without_news_ends_in_time(broker: Broker) -> None:
    """max_wait is kept, and min_bytes is waited for."""
    client = await connect(broker.bootstrap)
    await sent(client, batch([(b"k", b"v")]))
    start = time.monotonic()
    (part,) = await fetched(client, **fetch(0, max_wait=80, min_bytes=100_000))
    assert time.monotonic() - start >= 0.07
    assert part["records"]


@pytest.mark.parametrize("limit", [10, 6_000])
async def test_only_the_first_batch_may_exceed_the_limits(broker: Broker, limit: int) -> None:
    """A batch larger than asked for still comes, so that no consumer is stuck; the next partition waits."""
    client = await connect(broker.bootstrap)
    large = batch([(b"k", b"v" * 5_000)])
    for partition in (0, 1):
        await sent(client, large, partition=partition)
    first, second = await fetched(client, **fetch(0, 1, part_bytes=limit, max_bytes=limit))
    assert len(first["records"]) == len(large)
    assert second["records"] == b""
    assert second["high_watermark"] == 1


@pytest.mark.parametrize("offset", [-1, 2, 2**62])
async def test_offsets_out_of_range_are_told_at_once(broker: Broker, offset: int) -> None:
    """An offset that is not in the log is an error, not a wait."""
    client = await connect(broker.bootstrap)
    await sent(client, batch([(b"k", b"v")]))
    async with asyncio.timeout(2):
        (part,) = await fetched(client, **fetch(0, offset=offset, max_wait=30_000))
    assert part["error_code"] == ErrorCode.offset_out_of_range


async def test_topic_ids_stand_for_names(broker: Broker) -> None:
    """New clients name topics by id; an id that nobody has is told so."""
    client = await connect(broker.bootstrap)
    metadata = await client.ask(
        apis.METADATA, 12, topics=None, allow_auto_topic_creation=False, include_topic_authorized_operations=False
    )
    topic_id = metadata["topics"][0]["topic_id"]
    part = {"index": 0, "records": batch([(b"k", b"v")])}
    for asked, code in ((topic_id, 0), (uuid.UUID(int=5), ErrorCode.unknown_topic_id)):
        data = [{"topic_id": asked, "partition_data": [part]}]
        answer = await client.ask(apis.PRODUCE, 13, acks=-1, timeout=1000, topic_data=data)
        assert answer["responses"][0]["topic_id"] == asked
        assert answer["responses"][0]["partition_responses"][0]["error_code"] == code
        want = fetch(0)
        want["topics"] = [{"topic_id": asked, "partitions": want["topics"][0]["partitions"]}]
        answer = await client.ask(apis.FETCH, 18, **want)
        assert answer["responses"][0]["partitions"][0]["error_code"] == code
        assert bool(answer["responses"][0]["partitions"][0]["records"]) is (code == 0)


async def test_fetch_sessions_are_off(broker: Broker) -> None:
    """Answers carry session 0; a client that claims to have a session is told that there is none."""
    client = await connect(broker.bootstrap)
    assert (await client.ask(apis.FETCH, 11, **fetch(0)))["session_id"] == 0
    answer = await client.ask(apis.FETCH, 11, **fetch(0, session_id=7, session_epoch=3))
    assert answer["error_code"] == ErrorCode.fetch_session_id_not_found
