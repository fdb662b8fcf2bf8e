"""A receiver of webhooks: an HTTP server of a test's own, which checks signatures as Standard Webhooks says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

KEY = b"a key of thirty-two bytes, whole"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Delivery(NamedTuple):
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """What it says it is."""
        return self.headers["webhook-id"]

    def signed(self) -> bool:
        """Whether the key signed it: written down independently of the code."""
        content = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
        return self.headers["webhook-signature"] == f"v1,{wanted}"


@dataclass
class Received:
    """What came, and what is answered: `status`, or a redirect to `elsewhere`."""

    url: str = ""
    status: int = 204
    elsewhere: str = ""
    deliveries: list[Delivery] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Received]:
    """One on a free port of this machine, for as long as the block lasts."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            named = {name.lower(): value for name, value in self.headers.items()}
            received.deliveries.append(Delivery(self.path, named, body))
            self.send_response(received.status)
            if received.elsewhere:
                self.send_header("location", received.elsewhere)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_port}/alerts"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()
