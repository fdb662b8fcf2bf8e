"""The listening socket."""

from __future__ import annotations

import asyncio
import ipaddress

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


class Server:
    """Accepts connections and closes all of them at the end."""

    def __init__(self, dispatch: Dispatch, *, max_frame_bytes: int) -> None:
        self._dispatch = dispatch
        self._max_frame_bytes = max_frame_bytes
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port (a free one when 0 was asked). Raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._dispatch, self._max_frame_bytes, self._connections), host, port
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop accepting and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self._connections):
            connection.close()
        await self._server.wait_closed()
        self._server = None
