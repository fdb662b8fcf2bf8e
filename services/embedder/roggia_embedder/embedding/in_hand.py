"""Texts that are being embedded now: whoever else needs one of them waits, and finds it in the cache."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TypeAlias

Key: TypeAlias = tuple[str, str]
"""Tenant and hash of the text."""


class InHand:
    """Shared by those who embed with one model over one cache in one process. From one event loop."""

    def __init__(self) -> None:
        self._held: set[Key] = set()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def holding(self, keys: Collection[Key]) -> AsyncIterator[None]:
        """Wait until nobody holds any of `keys`, then hold all of them: at once, so that no two wait for each other."""
        while not self._held.isdisjoint(keys):
            await self._freed.wait()
        mine = set(keys)
        self._held |= mine
        try:
            yield
        finally:
            self._held -= mine
            self._freed.set()
            self._freed = asyncio.Event()
