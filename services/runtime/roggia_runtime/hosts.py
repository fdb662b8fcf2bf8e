"""By which names a server may be called: a page on the web can point its own name at an address of this machine.

Such a page (DNS rebinding) reads what an unprotected server answers, but its browser sends the page's name as `Host`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_OPEN = ("/health/",)
"""Answered under any name: probes call a server by whatever address it has at the moment."""
_STATUS = 421
_HEADER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Names without port, in small letters. None takes every name."""

    names: frozenset[str] | None = None

    def knows(self, header: str) -> bool:
        """Whether a `Host` header, with or without port, is one of ours."""
        return self.names is None or name_of(header) in self.names


EVERY = Hosts()


def name_of(header: str) -> str:
    """The name in a `Host` header: no port, small letters; empty for what is no such header."""
    found = _HEADER.fullmatch(header)
    return found[1].lower() if found else ""


def hosts_of(address: str, more: str) -> Hosts:
    """The names for a server that listens on `address`: loopback's, the address, and `more` (comma-separated).

    Listening on every interface (0.0.0.0, ::) it takes every name unless `more` names some: it cannot know its own.
    """
    named = {name.strip().lower() for name in more.split(",") if name.strip()}
    if _everywhere(address) and not named:
        return EVERY
    own = f"[{address}]" if ":" in address else address.lower()
    return Hosts(LOOPBACK | named | {own})


def _everywhere(address: str) -> bool:
    try:
        return ip_address(address).is_unspecified
    except ValueError:
        return address == ""


def _refused(message: str, status: int) -> Response:
    return JSONResponse({"error": {"code": "unknown_host", "message": message, "field": "host"}}, status)


class KnownHosts:
    """ASGI middleware: 421 for a name that is none of `hosts`. `setting` names the variable that adds one.

    `refusal` makes the answer of a message and a status, for an API whose errors have a shape of their own.
    """

    def __init__(
        self, app: ASGIApp, hosts: Hosts, setting: str, refusal: Callable[[str, int], Response] = _refused
    ) -> None:
        self._app, self._hosts, self._refusal = app, hosts, refusal
        self._message = f"host: this name is not the server's; add it to {setting}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        takes = self._takes(scope)
        await (self._app if takes else self._refusal(self._message, _STATUS))(scope, receive, send)

    def _takes(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["path"].startswith(_OPEN):
            return True
        return self._hosts.knows(Request(scope).headers.get("host", ""))
