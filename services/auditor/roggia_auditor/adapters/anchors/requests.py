"""HTTP for anchors: one session, short answers, no redirects: a checkpoint goes where it was told to go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
from yarl import URL

_XML = re.compile(r"<\?xml.*?\?>")
_MOST = 64 << 10
"""Bytes of an answer that are read."""


class Reply(NamedTuple):
    """An answer."""

    status: int
    text: str

    def said(self) -> str:
        """What an error message shows of it."""
        words = " ".join(_XML.sub("", self.text).split())
        return f"{self.status} {words[:300]}".strip()


class Http:
    """Requests, one after the other or several at once. Raises what aiohttp raises when nobody answers."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """One request; `url` is sent as it is written.

        Once more where the connection breaks: one that was kept may have been closed meanwhile. So only what may be
        asked twice is asked through this.
        """
        try:
            return await self._send(method, url, body, headers)
        except aiohttp.ClientConnectionError:
            return await self._send(method, url, body, headers)

    async def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        asked = self._session.request(
            method, URL(url, encoded=True), data=body or None, headers=headers, allow_redirects=False
        )
        async with asked as answer:
            return Reply(answer.status, (await answer.content.read(_MOST)).decode(errors="replace"))

    async def close(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
