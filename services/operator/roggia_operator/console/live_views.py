"""Asks the live views over HTTP: what went by in the last minutes, approximately."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec
from pydantic import SecretStr
from roggia_runtime.errors import UnavailableError

from roggia_operator.console.audit_views import LiveRow

TIMEOUT_S = 3.0


class LiveViews:
    """Use from one event loop. `url` is where `roggia service live` answers."""

    def __init__(self, url: str, token: SecretStr | None) -> None:
        self._url, self._token = url.rstrip("/"), token

    async def of(self, tenant: str) -> tuple[int, tuple[LiveRow, ...]]:
        """The moment that windows end at, ms since 1970, and a tenant's windows, the shortest first.

        Raises `UnavailableError` where they do not answer as expected.
        """
        headers = {} if self._token is None else {"authorization": f"Bearer {self._token.get_secret_value()}"}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
                http.get(f"{self._url}/v1/live", params={"tenant": tenant, "limit": "1"}) as reply,
            ):
                body = await reply.read()
                if reply.status != 200:
                    raise UnavailableError(f"the live views at {self._url} answer {reply.status}")
            found: dict[str, Any] = msgspec.json.decode(body)
            windows: dict[str, dict[str, Any]] = found["total"]
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError, KeyError) as error:
            raise UnavailableError(f"the live views at {self._url} do not answer ({type(error).__name__})") from None
        rows = (LiveRow(int(minutes), **cell) for minutes, cell in windows.items())
        return int(found["at"]), tuple(sorted(rows, key=lambda row: row.minutes))
