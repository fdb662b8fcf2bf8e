"""The listening socket."""

from __future__ import annotations

import asyncio
import ipaddress

import structlog

from roggia_devstack.network.connection import Connection, Dispatch
from roggia_devstack.network.errors import BindRefusedError


def check_bind_address(host: str, *, any_interface: bool) -> None:
    """Refuse to listen where other machines can reach a broker that has no security.

    Raises `BindRefusedError` unless `host` is a loopback address or `any_interface` says that the risk is understood.
    """
    if any_interface or host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise BindRefusedError(
            f"host: {host!r} is not a loopback address, and this broker has no authentication and no encryption; use "
            "127.0.0.1, or start it with --listen-on-all-interfaces-i-understand-this-broker-has-no-security"
        )


_log = structlog.get_logger()


class Server:
    """Accepts connections and closes all of them at the end.

    More than `max_connections` at once are closed as they come. One on which no request began for `max_idle_ms` is
    closed too, also when a request is being sent byte by byte.
    """

    def __init__(self, dispatch: Dispatch, *, max_frame_bytes: int, max_connections: int, max_idle_ms: int) -> None:
        self._dispatch = dispatch
        self._max_frame_bytes = max_frame_bytes
        self._max_connections = max_connections
        self._max_idle_s = max_idle_ms / 1000
        self._sweep: asyncio.TimerHandle | None = None
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port (a free one when 0 was asked). Raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, port)
        self._close_silent()
        return int(self._server.sockets[0].getsockname()[1])

    def _accept(self) -> asyncio.Protocol:
        if len(self._connections) < self._max_connections:
            return Connection(self._dispatch, self._max_frame_bytes, self._connections)
        _log.warning("broker_connection_refused", reason=f"{self._max_connections} connections are open")
        return _Refused()

    def _close_silent(self) -> None:
        loop = asyncio.get_running_loop()
        for connection in tuple(self._connections):
            if connection.silent_since(loop.time() - self._max_idle_s):
                connection.close()
        self._sweep = loop.call_later(self._max_idle_s / 4, self._close_silent)

    async def stop(self) -> None:
        """Stop accepting and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in tuple(self._connections):
            connection.close()
        await self._server.wait_closed()
        self._server = None


class _Refused(asyncio.Protocol):
    """A connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: close at once."""
        transport.close()
