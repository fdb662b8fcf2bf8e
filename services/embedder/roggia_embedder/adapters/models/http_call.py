"""One question to a model server: bounded in time and size, tried again while that may help, paused with all others."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import SecretStr

from roggia_embedder import metrics
from roggia_embedder.adapters.models.connections import Connections, Reply
from roggia_embedder.embedding.cooldown import Cooldown, Pass, shared
from roggia_embedder.embedding.retrying import backoff, retry_after
from roggia_embedder.errors import EmbedderError, ModelUnavailableError

log = structlog.get_logger(__name__)

_FINE = range(200, 300)
_LIMITED = 429
_UNAVAILABLE = 503
_SERVER_ERRORS = 500
_PASSING = (408, 425)
_FAILED_DEPENDENCY = 424
"""TEI's status when the model behind it failed."""
_WORDS = 512
_OUT_OF_MONEY = "insufficient_quota"
"""OpenAI's code for an account that must be paid for first: waiting does not help within a call."""


class RefusalError(EmbedderError):
    """A server refused a question for what it is, not for its moment: the same question would be refused again."""

    def __init__(self, url: str, status: int, words: str) -> None:
        super().__init__(f"{url}: HTTP {status}: {words}")
        self.status = status
        self.words = words


class _BusyError(Exception):
    """Try again; `told` is how long the server asks to wait, `limited` that all callers must."""

    def __init__(self, why: str, *, told: float | None = None, limited: bool = False, hopeless: bool = False) -> None:
        super().__init__(why)
        self.told = told
        self.limited = limited
        self.hopeless = hopeless


class Caller:
    """Asks one server. Safe for threads; every caller of this process with the same server and key pauses together."""

    def __init__(
        self,
        url: str,
        *,
        key: SecretStr | None = None,
        timeout_s: float = 60.0,
        cooldown: Cooldown | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        secret = key.get_secret_value() if key else ""
        self.url = url.rstrip("/")
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {secret}"} if secret else {})
        self._connections = Connections(self.url, timeout_s)
        self._cooldown = cooldown or shared(url, secret)
        self._sleep = sleep

    def ask(self, path: str, body: Any = None, *, until: float) -> Any:
        """The JSON of `reply`."""
        return self.reply(path, body, until=until)[0]

    def reply(self, path: str, body: Any = None, *, until: float) -> tuple[Any, Mapping[str, str]]:
        """The answer's JSON and its headers, names in lower case; POST with a body, else GET. `until`
        (`time.monotonic`) bounds waiting, not the answer.

        Raises `ModelUnavailableError` when no try by then had an answer (at least one is made unless the server has
        asked for a pause), `RefusalError` when the server refuses the question itself.
        """
        failures = 0
        while True:
            passed = self._cooldown.enter(until)
            try:
                return self._once(passed, path, body)
            except _BusyError as busy:
                failures += 1
                pause = 0.0 if busy.limited else max(busy.told or 0.0, backoff(failures, random.random()))  # noqa: S311
                if busy.hopeless or time.monotonic() + pause > until:
                    raise ModelUnavailableError(f"{self.url}{path}: {busy}") from busy
                log.warning(
                    "model server busy", server=self.url, why=str(busy), failures=failures, limited=busy.limited
                )
                self._sleep(pause)

    def _once(self, passed: Pass, path: str, body: Any) -> tuple[Any, Mapping[str, str]]:
        end = "failed"
        try:
            answer = self._exchange(path, body)
            end = "answered"
            return answer
        except RefusalError:
            end = "refused"
            raise
        except _BusyError as busy:
            if busy.limited:
                end = "limited"
                self._cooldown.refused(passed, busy.told)
            raise
        finally:
            self._cooldown.ended(passed, answered=end in ("answered", "refused"))
            metrics.MODEL_REQUESTS.labels(end).inc()

    def _exchange(self, path: str, body: Any) -> tuple[Any, Mapping[str, str]]:
        data = None if body is None else json.dumps(body).encode()
        try:
            reply = self._connections.exchange(path, data, self._headers)
            if reply.status in _FINE:
                return json.loads(reply.body), reply.headers
        except (OSError, http.client.HTTPException, ValueError) as error:  # down, cut off, or no JSON
            raise _BusyError(str(error) or repr(error)) from error
        raise _judged(self.url + path, reply)


def _judged(url: str, reply: Reply) -> Exception:
    words = reply.body[:_WORDS].decode("utf-8", "replace")
    told = retry_after(reply.headers, datetime.now(UTC))
    if reply.status == _LIMITED or (reply.status == _UNAVAILABLE and told is not None):
        hopeless = _OUT_OF_MONEY in words
        return _BusyError(f"HTTP {reply.status}: {words}", told=told, limited=True, hopeless=hopeless)
    if reply.status >= _SERVER_ERRORS or reply.status in (*_PASSING, _FAILED_DEPENDENCY):
        return _BusyError(f"HTTP {reply.status}: {words}", told=told)
    return RefusalError(url, reply.status, words)
