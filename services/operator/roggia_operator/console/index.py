"""Asks the index over HTTP what it consists of."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
import msgspec
from roggia_runtime.errors import UnavailableError

from roggia_operator.console.views import CollectionRow

PATH = "/v1/collections"
TIMEOUT_S = 5.0


class Held(msgspec.Struct, frozen=True):
    """Every collection, the names of further stores, and the stores that do not answer now."""

    collections: tuple[CollectionRow, ...]
    stores: tuple[str, ...] = ()
    away: tuple[str, ...] = ()


class Index:
    """Use from one event loop. `url` is the query role's address."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def collections(self) -> Sequence[CollectionRow]:
        """Every collection. Raises as `held` does."""
        return (await self.held()).collections

    async def held(self) -> Held:
        """What the index consists of. Raises `UnavailableError` when it does not answer as expected."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(self._url + PATH) as reply:
                body = await reply.read()
                if reply.status != 200:
                    raise UnavailableError(f"the index at {self._url} answers {reply.status} to {PATH}")
            return msgspec.json.decode(body, type=Held)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            raise UnavailableError(f"the index at {self._url} does not answer ({type(error).__name__})") from None
