"""Connections: how bytes become requests, and in which order answers go out."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest
from roggia_devstack.wire import apis

from tests.support.wire import connect, request_frame, running_broker

_VERSIONS = {"client_software_name": "x", "client_software_version": "1"}


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 11, 20])
async def test_requests_may_arrive_in_any_pieces(tmp_path: Path, cut: int) -> None:
    """A request that is cut anywhere is answered once it is whole."""
    frame = request_frame(apis.API_VERSIONS, 3, _VERSIONS)
    async with running_broker(tmp_path) as broker:
        client = await connect(broker.bootstrap)
        await client.send(frame[:cut])
        await asyncio.sleep(0.01)
        await client.send(frame[cut:])
        assert (await client.receive())[:4] == struct.pack(">i", 1)


async def test_pipelined_requests_are_answered_in_order_also_behind_one_that_waits(tmp_path: Path) -> None:
    """Answers keep the order of the requests: what follows a long poll waits for it."""
    fetch = {"max_wait": 80, "min_bytes": 1, "topics": [], "forgotten_topics_data": [], "max_bytes": 1}
    frames = [request_frame(apis.FETCH, 11, fetch, 1)]
    frames += [request_frame(apis.LIST_GROUPS, 5, {}, number) for number in range(2, 30)]
    async with running_broker(tmp_path) as broker:
        client = await connect(broker.bootstrap)
        await client.send(b"".join(frames))
        answered = [struct.unpack(">i", (await client.receive())[:4])[0] for _ in frames]
    assert answered == list(range(1, 30))


async def test_a_version_from_the_future_is_told_what_there_is(tmp_path: Path) -> None:
    """ApiVersions in an unknown version gets UNSUPPORTED_VERSION in the oldest form, with the served ranges."""
    async with running_broker(tmp_path) as broker:
        client = await connect(broker.bootstrap)
        await client.send(struct.pack(">ihhih", 10, apis.API_VERSIONS.key, 99, 7, -1))
        answer = await client.receive()
        assert struct.unpack(">ih", answer[:6]) == (7, 35)
        assert struct.unpack(">i", answer[6:10])[0] == len(apis.APIS)
        versions = (await client.ask(apis.API_VERSIONS, 3, **_VERSIONS))["api_keys"]
    ranges = {item["api_key"]: (item["min_version"], item["max_version"]) for item in versions}
    assert ranges[apis.PRODUCE.key] == (0, 13)
    assert ranges[apis.INIT_PRODUCER_ID.key] == (0, 5)
    assert ranges[apis.END_TXN.key] == (0, 4)


async def test_unknown_api_closes_only_its_connection(tmp_path: Path) -> None:
    """A request type that is not served closes its connection; others go on."""
    async with running_broker(tmp_path) as broker:
        witness, client = await connect(broker.bootstrap), await connect(broker.bootstrap)
        await client.send(struct.pack(">ihhih", 10, 999, 0, 1, -1))
        assert await client.closed_by_broker()
        assert (await witness.ask(apis.LIST_GROUPS, 0))["error_code"] == 0


async def test_a_client_that_leaves_during_a_long_poll_leaves_nothing_behind(tmp_path: Path) -> None:
    """A long poll ends with its connection: later appends find no waiter."""
    async with running_broker(tmp_path) as broker:
        client = await connect(broker.bootstrap)
        created = {"name": "t", "num_partitions": 1, "replication_factor": 1, "assignments": [], "configs": []}
        await client.ask(apis.CREATE_TOPICS, 4, topics=[created], timeout=1000)
        part = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1000}
        fetch = {"max_wait": 60_000, "min_bytes": 1, "max_bytes": 1000, "forgotten_topics_data": []}
        await client.send(request_frame(apis.FETCH, 11, {**fetch, "topics": [{"topic": "t", "partitions": [part]}]}))
        waiting = broker._signals._waiting
        await _until(lambda: bool(waiting))
        await client.close()
        await _until(lambda: not waiting)


async def _until(condition: object) -> None:
    async with asyncio.timeout(2):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)
