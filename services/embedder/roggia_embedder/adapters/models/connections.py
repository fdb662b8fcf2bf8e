"""Connections to one server, kept open between requests: opening one costs a query two or three round trips."""

from __future__ import annotations

import base64
import http.client
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

_BLOCK = 1 << 16
_LARGEST = 256 << 20
_IDLE_S = 30.0
"""Servers and the firewalls between close what rests for a minute or longer, some without a word."""
_GONE = (http.client.RemoteDisconnected, http.client.CannotSendRequest, ConnectionError)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """Safe for threads: a connection serves one request at a time. No redirect is followed: it would take the API key
    to another server. `http_proxy`, `https_proxy` and `no_proxy` of the environment are kept to.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._to = urlsplit(url)
        self._timeout_s = timeout_s
        self._proxy = _proxy_for(self._to)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []

    def exchange(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """POST `body` to `path` below the url, or GET it without a body. The whole answer has `timeout_s`.

        Raises `OSError` and `http.client.HTTPException`: down, timed out, cut off; `ValueError` for one beyond 256 MiB.
        """
        until = time.monotonic() + self._timeout_s
        connection, used = self._take()
        try:
            try:
                reply = self._once(connection, path, body, headers, until)
            except _GONE:
                if not used:
                    raise
                # The server closed it while it rested. What is asked has no effect, so it may be asked again.
                connection.close()
                reply = self._once(connection, path, body, headers, until)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append((time.monotonic(), connection))
        return reply

    def _take(self) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            while self._idle:
                since, connection = self._idle.pop()
                if connection.sock is not None and time.monotonic() - since < _IDLE_S:
                    return connection, True
                connection.close()
        return self._new(), False

    def _new(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._to.scheme == "https" else http.client.HTTPConnection
        if self._proxy is None:
            return kind(self._to.hostname or "", self._to.port, timeout=self._timeout_s)
        connection = kind(self._proxy.hostname or "", self._proxy.port, timeout=self._timeout_s)
        if self._to.scheme == "https":
            connection.set_tunnel(self._to.hostname or "", self._to.port, _proxy_key(self._proxy))
        return connection

    def _once(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        until: float,
    ) -> Reply:
        target, more = self._to.path + path, {}
        if self._proxy is not None and self._to.scheme == "http":
            target, more = f"http://{self._to.netloc}{target}", _proxy_key(self._proxy)
        connection.request("GET" if body is None else "POST", target, body, {**headers, **more})
        with connection.getresponse() as response:
            told = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, told, _read(response, until))


def _read(response: http.client.HTTPResponse, until: float) -> bytes:
    """The whole body. A socket's timeout bounds one read only: a server that sends a byte a second must end too."""
    blocks, size, promised = [], 0, response.length
    while block := response.read1(_BLOCK):
        blocks.append(block)
        size += len(block)
        if size > _LARGEST:
            raise ValueError(f"the answer is larger than {_LARGEST >> 20} MiB")
        if time.monotonic() > until:
            raise TimeoutError("timed out in the middle of the answer")
    if promised is not None and size < promised:
        raise http.client.IncompleteRead(b"", promised - size)
    return b"".join(blocks)


def _proxy_for(to: SplitResult) -> SplitResult | None:
    proxy = getproxies().get(to.scheme)
    if not proxy or proxy_bypass(to.hostname or ""):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _proxy_key(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    plain = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(plain.encode()).decode()}
