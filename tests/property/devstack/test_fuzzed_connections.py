"""Random and mutated frames against a running broker: it answers others and allocates no more than it got."""

from __future__ import annotations

import asyncio
import random
import struct
import tracemalloc
from pathlib import Path

import structlog
from roggia_devstack.wire import apis

from tests.support.wire import RawClient, connect, request_frame, running_broker

_ROUNDS = 1500
_METADATA_FLAGS = ("include_cluster_authorized_operations", "include_topic_authorized_operations")


def _valid_frames() -> list[bytes]:
    """One plausible request per API, to be damaged."""
    topic = {"name": "t", "partitions": [{"partition_index": 0, "timestamp": -1}]}
    commit = {"partition_index": 0, "committed_offset": 1, "committed_metadata": "m"}
    join = {
        "group_id": "g",
        "session_timeout": 6000,
        "rebalance_timeout": 6000,
        "member_id": "",
        "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": b"\0\1"}],
    }
    fetch_part = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1000}
    fetch = {"max_wait": 1, "min_bytes": 1, "topics": [{"topic": "t", "partitions": [fetch_part]}]}
    produce = {
        "acks": -1,
        "timeout": 1000,
        "topic_data": [{"name": "t", "partition_data": [{"index": 0, "records": b"\0" * 70}]}],
    }
    return [
        request_frame(apis.API_VERSIONS, 3, {"client_software_name": "x", "client_software_version": "1"}),
        request_frame(apis.METADATA, 9, {"topics": [{"name": "t"}], **dict.fromkeys(_METADATA_FLAGS, False)}),
        request_frame(apis.METADATA, 4, {"topics": [{"name": "t"}], "allow_auto_topic_creation": False}),
        request_frame(apis.LIST_OFFSETS, 7, {"replica_id": -1, "isolation_level": 0, "topics": [topic]}),
        request_frame(
            apis.OFFSET_COMMIT, 8, {"group_id": "g", "member_id": "", "topics": [{"name": "t", "partitions": [commit]}]}
        ),
        request_frame(apis.OFFSET_FETCH, 6, {"group_id": "g", "topics": None}),
        request_frame(apis.JOIN_GROUP, 9, join),
        request_frame(apis.FETCH, 11, {**fetch, "forgotten_topics_data": [], "max_bytes": 1000}),
        request_frame(apis.PRODUCE, 9, produce),
        request_frame(apis.INIT_PRODUCER_ID, 4, {"transactional_id": "x", "transaction_timeout": 1000}),
        request_frame(apis.LIST_GROUPS, 5, {}),
        request_frame(
            apis.DESCRIBE_CONFIGS,
            4,
            {"resources": [{"resource_type": 2, "resource_name": "t", "configuration_keys": None}]},
        ),
    ]


def _damaged(rng: random.Random, frames: list[bytes]) -> bytes:
    kind = rng.random()
    if kind < 0.15:
        return struct.pack(">i", size := rng.randrange(0, 300)) + rng.randbytes(size)
    body = bytearray(rng.choice(frames)[4:])
    for _ in range(rng.randint(1, 5)):
        start = 0 if kind < 0.3 else 12
        position = rng.randrange(start, len(body))
        body[position] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    if kind > 0.8:
        del body[rng.randrange(8, len(body)) :]
    return struct.pack(">i", len(body)) + bytes(body)


async def _throw(client: RawClient, frame: bytes) -> None:
    """Send one frame and take whatever comes: an answer, a closed connection, or nothing for a while."""
    try:
        await client.send(frame)
        async with asyncio.timeout(0.03):
            await client.receive()
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        pass
    finally:
        await client.close()


async def test_damaged_frames_hurt_nobody_else(tmp_path: Path) -> None:
    """After every damaged frame a client that was there all along is answered correctly; nothing piles up or breaks."""
    rng, frames = random.Random(20_260_101), _valid_frames()
    bugs: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context))
    with structlog.testing.capture_logs() as logged:
        await _throw_all(tmp_path, rng, frames)
    assert bugs == []
    assert [line for line in logged if line["event"] != "broker_connection_refused"] == []
    assert len(logged) > _ROUNDS / 10


async def _throw_all(tmp_path: Path, rng: random.Random, frames: list[bytes]) -> None:
    async with running_broker(tmp_path, max_frame_bytes=1 << 20) as broker:
        witness = await connect(broker.bootstrap)
        await witness.ask(
            apis.CREATE_TOPICS,
            4,
            topics=[{"name": "t", "num_partitions": 1, "replication_factor": 1, "assignments": [], "configs": []}],
            timeout=1000,
        )
        tracemalloc.start()
        for number in range(_ROUNDS):
            await _throw(await connect(broker.bootstrap), _damaged(rng, frames))
            if number % 20 == 0:
                answer = await witness.ask(apis.METADATA, 4, topics=[{"name": "t"}], allow_auto_topic_creation=False)
                assert [topic["error_code"] for topic in answer["topics"]] == [0]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 32 << 20


async def test_lengths_that_lie_allocate_nothing(tmp_path: Path) -> None:
    """Arrays of two thousand million elements, announced in a few bytes, close the connection and cost no memory."""
    header = struct.pack(">hhih", apis.METADATA.key, 12, 1, -1) + b"\0"
    lies = [
        header + b"\xff\xff\xff\xff\x0f" + b"\0" * 4,
        struct.pack(">hhih", apis.METADATA.key, 4, 1, -1) + b"\x7f\xff\xff\xff" + b"\0" * 4,
        struct.pack(">hhih", apis.PRODUCE.key, 9, 1, -1) + b"\0\0" + b"\0\1\0\0\0\1" + b"\xff\xff\xff\xff\x07" * 3,
        struct.pack(">hhih", apis.LIST_GROUPS.key, 5, 1, -1) + b"\xff\xff\xff\xff\x0f" + b"\0",
    ]
    async with running_broker(tmp_path) as broker:
        tracemalloc.start()
        for lie in lies:
            client = await connect(broker.bootstrap)
            await client.send(struct.pack(">i", len(lie)) + lie)
            assert await client.closed_by_broker()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 4 << 20


async def test_frame_sizes_out_of_range_close_the_connection(tmp_path: Path) -> None:
    """A frame that is announced as negative, tiny or above the limit is refused before any of it is buffered."""
    async with running_broker(tmp_path, max_frame_bytes=1 << 20) as broker:
        for size in (-1, 0, 7, (1 << 20) + 1, 2**31 - 1):
            client = await connect(broker.bootstrap)
            await client.send(struct.pack(">i", size))
            assert await client.closed_by_broker()
        survivor = await connect(broker.bootstrap)
        assert (await survivor.ask(apis.LIST_GROUPS, 5))["groups"] == []
