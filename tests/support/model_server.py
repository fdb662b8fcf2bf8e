"""A model server for tests: OpenAI's `/v1/embeddings` and TEI's API on a stub model, with faults in the order given."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from roggia_embedder.adapters.models.stub import StubModel

WINDOW = 64


@dataclass(frozen=True)
class Fault:
    """What happens to one request for vectors: a status, a delay, bytes left out, or another answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    words: str = "a fault"
    delay_s: float = 0.0
    cut: int = 0
    drip_s: float = 0.0
    hang_up: bool = False
    change: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    at: float
    path: str
    body: Any
    headers: Mapping[str, str]

    @property
    def texts(self) -> list[str]:
        """The texts that it brought."""
        return list(self.body.get("input") or self.body.get("inputs"))


class ModelServer:
    """State of the server; tests change it while it runs."""

    def __init__(self, dimension: int = 8) -> None:
        self.model = StubModel(dimension, WINDOW)
        self.echo = "stub"
        self.most = 32
        self.shuffle = True
        self.noise = 0.0
        self.delay_s = 0.0
        self.counts = True
        self.computed = 0
        """Tokens of answers that were sent whole, as they said themselves."""
        self.info: dict[str, Any] = {
            "model_id": "org/stub",
            "model_sha": "a" * 40,
            "model_dtype": "float32",
            "model_type": {"embedding": {"pooling": "mean"}},
            "max_concurrent_requests": 512,
            "max_input_length": WINDOW,
            "max_batch_tokens": 16384,
            "max_client_batch_size": 32,
            "auto_truncate": False,
            "version": "1.8.0",
        }
        self.faults: deque[Fault] = deque()
        self.asked: list[Asked] = []
        self.connections = 0
        self.url = ""
        self._lock = threading.Lock()

    def take(self, asked: Asked) -> Fault:
        """Note a request, and the fault that is for it."""
        with self._lock:
            self.asked.append(asked)
            wants_vectors = asked.path.endswith(("/embeddings", "/embed"))
            return self.faults.popleft() if wants_vectors and self.faults else Fault()

    def took(self, tokens: int) -> None:
        """An answer was computed."""
        with self._lock:
            self.computed += tokens

    def encodings(self) -> list[Asked]:
        """Requests for vectors, as they came."""
        return [asked for asked in self.asked if asked.path.endswith(("/embeddings", "/embed"))]

    def encoded(self) -> list[tuple[float, str]]:
        """Every text that was to be encoded and when it came (monotonic seconds), the client's own checks included."""
        return [(one.at, text) for one in self.encodings() for text in one.texts]

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Status and body without faults."""
        if asked.path == "/info":
            return 200, self.info
        if asked.path == "/tokenize":
            return 200, [[{"id": 0, "text": word} for word in text.split()] for text in asked.texts]
        if len(asked.texts) > self.most:
            words = f"batch size {len(asked.texts)} > maximum allowed batch size {self.most}"
            return (413, {"error": words, "error_type": "Validation"})
        if any(len(text.split()) > WINDOW for text in asked.texts):
            words = f"Input validation error: `inputs` must have less than {WINDOW} tokens"
            return (413, {"error": words, "error_type": "Validation"})
        rows = self._rows(asked.texts)
        if asked.path == "/embed":
            return 200, [row.tolist() for row in rows]
        data = [{"index": n, "embedding": _form(row, asked.body)} for n, row in enumerate(rows)]
        if self.shuffle:
            random.shuffle(data)
        usage = {"prompt_tokens": tokens_of(asked.texts)} if self.counts else {}
        return 200, {"object": "list", "data": data, "model": self.echo, "usage": usage}

    def _rows(self, texts: Sequence[str]) -> Any:
        rows = self.model.encode(texts)
        return rows * 3 + np.random.default_rng().normal(0, self.noise, rows.shape).astype(np.float32)


def tokens_of(texts: Sequence[str]) -> int:
    """Tokens of a request as this server counts them: words, and two more for each text."""
    return sum(len(text.split()) + 2 for text in texts)


@contextmanager
def model_server(dimension: int = 8) -> Iterator[ModelServer]:
    """A server on a free port; `url` has no path."""
    state = ModelServer(dimension)

    class Handler(_Handler):
        served = state

    with _Quiet(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def _form(row: Any, body: Mapping[str, Any]) -> Any:
    if body.get("encoding_format") == "base64":
        return base64.b64encode(row.astype("<f4").tobytes()).decode()
    return row.tolist()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that timed out is gone: that is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    served: ModelServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Note the connection."""
        super().setup()
        self.served.connections += 1

    def do_POST(self) -> None:
        """Answer a question that has a body."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._serve(body)

    def do_GET(self) -> None:
        """Answer a question without one."""
        self._serve(None)

    def _serve(self, body: Any) -> None:
        asked = Asked(time.monotonic(), self.path, body, {name.lower(): v for name, v in self.headers.items()})
        fault = self.served.take(asked)
        time.sleep(fault.delay_s or self.served.delay_s)
        if fault.status == 200:
            status, answer = self.served.answer(asked)
            payload = json.dumps(fault.change(answer) if fault.change else answer).encode()
        else:
            status, payload = fault.status, fault.words.encode()
        whole = status == 200 and not fault.cut and asked.path.endswith(("/embeddings", "/embed"))
        self.served.took(tokens_of(asked.texts) if whole else 0)
        self.send_response(status)
        if whole and self.served.counts and asked.path == "/embed":
            self.send_header("x-compute-tokens", str(tokens_of(asked.texts)))
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        for start in range(len(payload) - fault.cut if fault.drip_s else 0):
            self.wfile.write(payload[start : start + 1])
            time.sleep(fault.drip_s)
        self.wfile.write(b"" if fault.drip_s else payload[: len(payload) - fault.cut])
        self.close_connection = bool(fault.cut or fault.hang_up)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
