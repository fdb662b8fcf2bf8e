"""A raw Kafka client for tests: one connection, one request at a time, and frames that no real client would send."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from roggia_devstack.broker.app import Broker
from roggia_devstack.broker.settings import BrokerSettings
from roggia_devstack.wire import apis
from roggia_devstack.wire.cursor import Cursor
from roggia_devstack.wire.decode import reader
from roggia_devstack.wire.encode import writer

Message = dict[str, Any]


def request_frame(api: apis.Api, version: int, request: Message, correlation_id: int = 1) -> bytes:
    """A whole request with its size, as a client called "test" sends it."""
    pair = apis.messages(api, version)
    out = bytearray(struct.pack(">hhih4s", api.key, version, correlation_id, 4, b"test"))
    if pair.flexible:
        out.append(0)
    writer(pair.request)(out, request)
    return struct.pack(">i", len(out)) + bytes(out)


class RawClient:
    """One TCP connection to a broker."""

    def __init__(self, reader_: asyncio.StreamReader, writer_: asyncio.StreamWriter) -> None:
        self._reader = reader_
        self._writer = writer_
        self._correlation_id = 0

    async def ask(self, api: apis.Api, version: int, **request: Any) -> Message:
        """Send a request and return its answer."""
        self._correlation_id += 1
        await self.send(request_frame(api, version, request, self._correlation_id))
        pair = apis.messages(api, version)
        cursor = Cursor(await self.receive())
        assert cursor.int32() == self._correlation_id
        if pair.flexible and api is not apis.API_VERSIONS:
            cursor.skip_tags()
        answer: Message = reader(pair.response)(cursor)
        assert cursor.pos == cursor.end
        return answer

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        """One frame without its size; raises IncompleteReadError when the broker closed the connection."""
        size = struct.unpack(">i", await self._reader.readexactly(4))[0]
        return await self._reader.readexactly(size)

    async def closed_by_broker(self) -> bool:
        """Wait for the broker to close; False when it sends something instead."""
        try:
            return await self._reader.read(1) == b""
        except ConnectionResetError:
            return True

    async def close(self) -> None:
        """Close from this side."""
        self._writer.close()


async def connect(bootstrap: str) -> RawClient:
    """Open a connection."""
    host, port = bootstrap.rsplit(":", 1)
    return RawClient(*await asyncio.open_connection(host, int(port)))


@asynccontextmanager
async def running_broker(data: Path, **settings: Any) -> AsyncIterator[Broker]:
    """A broker inside this process, on a free port, with short periods."""
    defaults: dict[str, Any] = {"port": 0, "min_session_timeout_ms": 50, "transaction_check_ms": 20}
    broker = Broker(BrokerSettings(data=data, **{**defaults, **settings}))
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()
