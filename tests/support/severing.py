"""A TCP link to a PostgreSQL that a test can cut and mend."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self
from urllib.parse import urlsplit

from tests.support.processes import free_port


class Severed:
    """`dsn` leads to the same database through this process."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self._to, self._port = (parts.hostname or "127.0.0.1", parts.port or 5432), free_port()
        self.dsn = parts._replace(netloc=f"{parts.username}@127.0.0.1:{self._port}").geturl()
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)

    async def cut(self) -> None:
        """End every connection, and refuse others."""
        if self._server is not None:
            self._server.close()
        for end in self._ends:
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._to)
        ends = {writer, back}
        self._ends |= ends
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            self._ends -= ends
            for end in ends:
                end.close()


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 16):
            to.write(data)
            await to.drain()
    to.close()
