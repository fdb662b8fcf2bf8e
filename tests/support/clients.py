"""Short ways to drive a broker in tests: topics, records, groups, and requests built by hand."""

from __future__ import annotations

import asyncio
import functools
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka.admin import AdminClient, NewTopic

PATIENCE_S = 20.0


@functools.cache
def admin(bootstrap: str) -> AdminClient:
    """librdkafka's admin client, one per broker: its answers are lost when it is collected before they come."""
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def make_topic(bootstrap: str, name: str, partitions: int = 1, **config: str) -> str:
    """Create a topic and return its name; settings have `_` for `.`."""
    settings = {key.replace("_", "."): value for key, value in config.items()}
    client = admin(bootstrap)
    client.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(PATIENCE_S)
    # Apache Kafka's broker part learns of a topic a moment after its controller has made it.
    while name not in client.list_topics(timeout=PATIENCE_S).topics:
        time.sleep(0.02)
    return name


@asynccontextmanager
async def producer(bootstrap: str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A started aiokafka producer, idempotent unless told otherwise."""
    settings = {"acks": "all", "enable_idempotence": True, **options}
    client = AIOKafkaProducer(bootstrap_servers=bootstrap, **settings)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def consumer(bootstrap: str, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A started aiokafka consumer that reads from the beginning and commits only when told."""
    settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "fetch_max_wait_ms": 100, **options}
    client = AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, **settings)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def send(bootstrap: str, topic: str, values: Iterable[bytes], **options: Any) -> None:
    """Produce values to partition 0 and wait for every acknowledgement."""
    async with producer(bootstrap, **options) as client:
        for pending in [await client.send(topic, value, partition=0) for value in values]:
            await pending


async def read_all(bootstrap: str, topic: str, *, committed: bool = True) -> list[Any]:
    """All records of all partitions, up to where they end now, as a reader of this isolation sees them."""
    isolation = "read_committed" if committed else "read_uncommitted"
    async with consumer(bootstrap, topic, isolation_level=isolation) as client:
        partitions = client.assignment()
        while not partitions:
            await asyncio.sleep(0.01)
            partitions = client.assignment()
        ends = await client.end_offsets(list(partitions))
        records: list[Any] = []
        deadline = time.monotonic() + PATIENCE_S
        while any([await client.position(partition) < end for partition, end in ends.items()]):
            assert time.monotonic() < deadline, f"{topic} cannot be read to its end {ends}"
            for batch in (await client.getmany(timeout_ms=50)).values():
                records += batch
        return records


async def eventually(what: str, check: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S) -> None:
    """Wait until `check` is true; fail naming `what` when patience ends."""
    deadline = time.monotonic() + patience_s
    while not await check():
        assert time.monotonic() < deadline, f"not within {patience_s} s: {what}"
        await asyncio.sleep(0.1)


class RawConnection:
    """A connection on which tests send bytes of their own making."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._correlation = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def closed(self) -> bool:
        """Wait until the broker closes; True when it did so without an answer."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def call(self, api: int, version: int, body: bytes) -> bytes:
        """Send a request with a version 1 header and return the answer's body."""
        self._correlation += 1
        message = struct.pack(">hhih4s", api, version, self._correlation, 4, b"test") + body
        self.write(struct.pack(">i", len(message)) + message)
        size = struct.unpack(">i", self._exactly(4))[0]
        answer = self._exactly(size)
        assert struct.unpack_from(">i", answer)[0] == self._correlation
        return answer[4:]

    def produce(self, topic: str, batch: bytes) -> tuple[int, int]:
        """Send one batch to partition 0 with Produce version 3; return (error code, base offset)."""
        name = topic.encode()
        body = struct.pack(">hhii", -1, -1, 10_000, 1) + struct.pack(">h", len(name)) + name
        body += struct.pack(">iii", 1, 0, len(batch)) + batch
        answer = self.call(0, 3, body)
        error, offset = struct.unpack_from(">hq", answer, 4 + 2 + len(name) + 4 + 4)
        return error, offset

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            assert piece, "the broker closed the connection"
            data += piece
        return data
