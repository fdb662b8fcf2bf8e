"""Free TCP ports on the loopback address."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now (addresses in TIME_WAIT count as free, as servers see it)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(preferred: int, taken: set[int]) -> int:
    """`preferred` if it is free (0: any), else any free port; never one of `taken`. Adds the choice to `taken`.

    Somebody else may take the port before the server binds it; the server then fails and its supervisor says so.
    """
    port = preferred
    while port == 0 or port in taken or not is_free(port):
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
    taken.add(port)
    return port
