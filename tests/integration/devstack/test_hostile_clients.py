"""Clients that mean harm, against a broker process of its own: others are served, memory stays where it was."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from roggia_devstack.storage.compression import compress
from roggia_devstack.wire import apis

from tests.contract.kafka.answers.asking import asking, new_topic, plain_batch
from tests.contract.kafka.answers.records import _body
from tests.support.kafka import Broker, devstack_broker
from tests.support.wire import RawClient, connect, running_broker

_MIB = 1 << 20
_MANY = 300


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker process whose memory is nobody else's."""
    made = devstack_broker(tmp_path)
    made.start()
    yield made
    made.kill()


def _memory(broker: Broker) -> int:
    return int(psutil.Process(broker.pid).memory_info().rss)


async def _served(broker: Broker) -> None:
    async with asking(broker.bootstrap) as asker:
        assert (await asker.ask(apis.LIST_GROUPS))["error_code"] == 0


async def test_many_half_sent_requests_cost_their_bytes(broker: Broker) -> None:
    """Three hundred connections that announce 100 MiB and send a little: no memory is set aside, others are served."""
    before, clients = _memory(broker), [await connect(broker.bootstrap) for _ in range(_MANY)]
    for client in clients:
        await client.send(struct.pack(">i", 100 * _MIB) + b"\0" * 2000)
    await _served(broker)
    assert _memory(broker) - before < 40 * _MIB
    for client in clients:
        await client.close()
    await _served(broker)


async def test_memory_does_not_grow_with_bad_requests(broker: Broker) -> None:
    """Thousands of refused requests, each on its connection, leave no more behind than the first hundreds did."""
    lie = struct.pack(">ihhih", 18, apis.METADATA.key, 4, 1, -1) + b"\x7f\xff\xff\xff" + b"\0" * 4
    sizes = []
    for _ in range(4):
        for _ in range(300):
            client = await connect(broker.bootstrap)
            await client.send(lie)
            assert await client.closed_by_broker()
            await client.close()
        sizes.append(_memory(broker))
    assert sizes[-1] - sizes[0] < 8 * _MIB, sizes


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
async def test_a_bomb_is_refused_in_bounded_memory(broker: Broker, codec: int) -> None:
    """A batch whose records are 200 MiB of zeros when unpacked is refused, and the broker stays small."""
    bomb = _body(lambda body: b"\0" * (200 * _MIB), codec)(plain_batch())
    async with asking(broker.bootstrap) as asker:
        topic = await asker.topic(cleanup_policy="compact", max_message_bytes=str(64 * _MIB))
        assert (await asker.produce(topic, bomb))[0] == "INVALID_RECORD"
        assert (await asker.produce(topic, plain_batch()))[0] == "ok"
    assert _memory(broker) < 300 * _MIB
    assert compress(codec, b"x") != b"x"


async def test_names_are_never_paths(tmp_path: Path) -> None:
    """Topics, groups and transactional ids that look like paths make no file outside the data directory, or inside."""
    evil = ["../../evil", "/evil", "..", "a/../../evil", "evil\0"]
    async with running_broker(tmp_path / "deep/data") as inside, asking(inside.bootstrap) as asker:
        for name in evil:
            await asker.ask(apis.CREATE_TOPICS, topics=[new_topic(name)], timeout=1000)
            await asker.commit(name, await asker.topic())
            await asker.producer(name)
            await asker.member(name)
    made = [name for _, folders, files in os.walk(tmp_path) for name in (*folders, *files)]
    assert not [name for name in made if "evil" in name]
    assert next(os.walk(tmp_path))[1] == ["deep"]


async def test_a_request_sent_byte_by_byte_is_given_up(tmp_path: Path) -> None:
    """A connection on which no request began for the time allowed is closed, however busily it sends."""
    async with running_broker(tmp_path, max_idle_ms=200) as inside:
        slow = await connect(inside.bootstrap)
        await slow.send(struct.pack(">i", 1000))

        async def drip() -> None:
            while True:
                await slow.send(b"\0")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert await asyncio.wait_for(slow.closed_by_broker(), 20)
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        async with asking(inside.bootstrap) as asker:
            assert (await asker.ask(apis.LIST_GROUPS))["error_code"] == 0


async def test_connections_beyond_the_limit_are_closed(tmp_path: Path) -> None:
    """One connection too many is closed at once; when another has gone there is room again."""
    async with running_broker(tmp_path, max_connections=3) as inside:
        clients: list[RawClient] = [await connect(inside.bootstrap) for _ in range(3)]
        for client in clients:
            assert (await client.ask(apis.LIST_GROUPS, 5))["groups"] == []
        extra = await connect(inside.bootstrap)
        assert await extra.closed_by_broker()
        await clients[0].close()
        async with asyncio.timeout(20):
            while True:
                again = await connect(inside.bootstrap)
                try:
                    assert (await again.ask(apis.LIST_GROUPS, 5))["groups"] == []
                    break
                except (asyncio.IncompleteReadError, ConnectionError):
                    await asyncio.sleep(0.02)
