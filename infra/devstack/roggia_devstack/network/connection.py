"""One client connection: bytes in, frames to the dispatcher, answers out in the order of the requests.

A connection serves one request at a time, as Kafka does: what a client sends meanwhile waits, first in a bounded
buffer and then in the client's own socket. Malformed bytes, or a bug met while serving them, close this connection
and no other.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Final, cast

import structlog

from roggia_devstack.wire.errors import WireError

Answer = bytearray | bytes | None
Dispatch = Callable[[bytes, int, str], Answer | Awaitable[Answer]]
"""(data, where the frame's content starts, client host) -> the framed answer, or None when the request wants none."""

_SIZE: Final = struct.Struct(">i")
_SMALLEST_FRAME: Final = 8
_log = structlog.get_logger()


class Connection(asyncio.Protocol):
    """Splits the stream into frames. `registry` is the server's set of open connections."""

    def __init__(self, dispatch: Dispatch, max_frame_bytes: int, registry: set[Connection]) -> None:
        self._dispatch = dispatch
        self._max_frame_bytes = max_frame_bytes
        self._registry = registry
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._host = ""
        self._writable = True
        self._reading = True
        self._heard_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is there."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._host = str(peer[0]) if peer else "local"
        self._heard_s = asyncio.get_running_loop().time()
        self._registry.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """asyncio: the client is gone; a request that is still waiting is given up."""
        self._registry.discard(self)
        self._transport = None
        self._buffer.clear()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """asyncio: the client reads slower than it asks."""
        self._writable = False

    def resume_writing(self) -> None:
        """asyncio: the client caught up."""
        self._writable = True
        self._pump()

    def data_received(self, data: bytes) -> None:
        """asyncio: more bytes."""
        if not self._buffer:
            self._heard_s = asyncio.get_running_loop().time()
        if not self._buffer and self._idle() and len(data) > _SIZE.size and self._size(data) == len(data) - _SIZE.size:
            self._serve(data, _SIZE.size)
            return
        self._buffer += data
        self._pump()

    def silent_since(self, time_s: float) -> bool:
        """Say whether no request has begun since `time_s` (the loop's clock), and none is being served."""
        return self._task is None and self._heard_s < time_s

    def close(self) -> None:
        """Drop the connection now, unsent answers included."""
        if self._transport is not None:
            self._transport.abort()

    def _idle(self) -> bool:
        return self._task is None and self._writable and self._transport is not None

    def _size(self, data: bytes | bytearray) -> int:
        return int(_SIZE.unpack_from(data)[0])

    def _pump(self) -> None:
        while self._idle() and len(self._buffer) >= _SIZE.size:
            size = self._size(self._buffer)
            if not _SMALLEST_FRAME <= size <= self._max_frame_bytes:
                self._refuse(f"frame of {size} bytes; allowed: {_SMALLEST_FRAME}..{self._max_frame_bytes}")
                return
            stop = _SIZE.size + size
            if len(self._buffer) < stop:
                break
            with memoryview(self._buffer) as view:
                frame = bytes(view[_SIZE.size : stop])
            del self._buffer[:stop]
            self._serve(frame, 0)
        self._throttle()

    def _throttle(self) -> None:
        """Stop reading while a request is served and another whole frame's worth of bytes already waits."""
        if self._transport is None:
            return
        wanted = self._idle() or len(self._buffer) < self._max_frame_bytes
        if wanted and not self._reading:
            self._transport.resume_reading()
        elif not wanted and self._reading:
            self._transport.pause_reading()
        self._reading = wanted

    def _serve(self, data: bytes, start: int) -> None:
        served = False
        try:
            answer = self._dispatch(data, start, self._host)
            served = True
        except WireError as error:
            self._refuse(str(error))
            return
        finally:
            if not served:
                self.close()
        if answer is None or isinstance(answer, bytes | bytearray):
            self._send(answer)
            return
        self._task = asyncio.ensure_future(self._finish(answer))
        self._task.add_done_callback(self._finished)

    async def _finish(self, answer: Awaitable[Answer]) -> None:
        self._send(await answer)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            self.close()
            return
        error = task.exception()
        if error is not None:
            _log.error("broker_request_failed", client=self._host, exc_info=error)
            self.close()
            return
        self._pump()

    def _send(self, answer: Answer) -> None:
        if answer is not None and self._transport is not None:
            self._transport.write(answer)

    def _refuse(self, reason: str) -> None:
        _log.warning("broker_connection_refused", client=self._host, reason=reason)
        self.close()
