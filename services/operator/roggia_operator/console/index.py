"""Asks the index over HTTP what it consists of."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
import msgspec
from roggia_runtime.errors import UnavailableError

from roggia_operator.console.views import CollectionRow

PATH = "/v1/collections"
TIMEOUT_S = 5.0


class _Answer(msgspec.Struct, frozen=True):
    collections: tuple[CollectionRow, ...]


class Index:
    """Use from one event loop. `url` is the query role's address."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def collections(self) -> Sequence[CollectionRow]:
        """Every collection. Raises `UnavailableError` when the index does not answer as expected."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(self._url + PATH) as reply:
                body = await reply.read()
                if reply.status != 200:
                    raise UnavailableError(f"the index at {self._url} answers {reply.status} to {PATH}")
            return msgspec.json.decode(body, type=_Answer).collections
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            raise UnavailableError(f"the index at {self._url} does not answer ({type(error).__name__})") from None
