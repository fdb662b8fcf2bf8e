"""How long an HTTP server waits for its clients, and for how many: the slow hold nothing for long."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """`head_s`: from connecting, or from the last answer, to the end of a request's headers. `body_s`: from there to
    the end of its body. `stuck_s`: for a client that takes nothing of what waits for it. All in seconds."""

    connections: int = 512
    head_s: float = 15.0
    body_s: float = 30.0
    stuck_s: float = 60.0


class TimelyBodies:
    """ASGI middleware: a body that does not end is a 408, one that is cut off a 400, both as `HTTPException`.

    They are raised where the application reads, so that its own refusals' shape applies.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        wanted = receive if scope["type"] != "http" else _timely(receive, self._limits.body_s)
        await self._app(scope, wanted, send)


def _timely(receive: Receive, body_s: float) -> Receive:
    until = asyncio.get_running_loop().time() + body_s
    complete = False

    async def timely() -> Message:
        nonlocal complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"body: not complete within {body_s:g} s; send it at once") from None
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "body: cut off before its end; send it again")
        complete = not message.get("more_body", False)
        return message

    return timely


def protocol(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's HTTP/1.1 with these limits."""

    class Limited(_Limited):
        """See `Limits`."""

        bounds = limits

    return Limited


class _Limited(H11Protocol):
    bounds = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            transport.abort()
            return
        # asyncio does this only for sockets whose protocol number is given; without it, an answer's body waits up to
        # 40 ms for the client to acknowledge its head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            _cancel(self._head)

    def on_response_complete(self) -> None:
        self._await_head()
        super().on_response_complete()
        if self.cycle is not None and not self.cycle.response_complete:
            _cancel(self._head)  # the next request was here already

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._head)
        _cancel(self._stuck)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(self.bounds.stuck_s, self.transport.abort)

    def resume_writing(self) -> None:
        _cancel(self._stuck)
        super().resume_writing()

    def _await_head(self) -> None:
        _cancel(self._head)
        self._head = self.loop.call_later(self.bounds.head_s, self.transport.abort)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
