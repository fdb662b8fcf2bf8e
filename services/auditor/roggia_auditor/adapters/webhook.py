"""Deliveries over HTTP, signed as Standard Webhooks says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

import aiohttp

from roggia_auditor.alerting.signing import headers
from roggia_auditor.errors import UndeliveredError

_AGENT = "roggia-auditor"
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Refusals that say nothing of the delivery itself."""
_TAKEN = range(200, 300)
_SERVER = 500


class Webhook:
    """A `Hook`. It follows no redirect (which could lead to an address that nobody has named), uses no proxy of the
    environment, reads no answer, and says nothing of the address: it may hold a secret."""

    def __init__(
        self, url: str, secrets: Sequence[bytes], timeout_s: float, now: Callable[[], float] = time.time
    ) -> None:
        self._url, self._secrets, self._now = url, secrets, now
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Prepare. Nothing is sent."""
        self._session = aiohttp.ClientSession(
            timeout=self._timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def stop(self) -> None:
        """Disconnect. Safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, delivery_id: str, body: bytes) -> None:
        """See `roggia_auditor.alerting.alerter.Hook`."""
        status = await self._post(delivery_id, body)
        if status in _TAKEN:
            return
        refused = status < _SERVER and status not in _LATER
        raise UndeliveredError(f"the webhook answered {status}", refused=refused)

    async def _post(self, delivery_id: str, body: bytes) -> int:
        if self._session is None:
            raise UndeliveredError("the webhook is not started")
        signed = headers(self._secrets, delivery_id, int(self._now()), body)
        kind = {"content-type": "application/json", "user-agent": _AGENT}
        try:
            async with self._session.post(self._url, data=body, headers=signed | kind, allow_redirects=False) as reply:
                return reply.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The client's own words name the address.
            raise UndeliveredError(f"the webhook does not answer ({type(error).__name__})") from None
