"""Wakes the fetches that wait for a partition to grow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

TopicPartition = tuple[str, int]


class Signals:
    """Long polls register for their partitions; whoever appends calls `grown`.

    `count` goes up with each growth. A long poll notes it when it reads, and begins to wait later, in a task of its
    own: what grew in between has woken nobody.
    """

    def __init__(self) -> None:
        self.count = 0
        self._waiting: dict[TopicPartition, set[asyncio.Future[None]]] = {}

    def grown(self, partition: TopicPartition) -> None:
        """Records, or a transaction's end, have been added to `partition`."""
        self.count += 1
        for waiter in self._waiting.get(partition, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, partitions: Iterable[TopicPartition], timeout_s: float, seen: int) -> bool:
        """Sleep until one of `partitions` has grown; False when `timeout_s` passed first.

        True at once where any partition has grown since `count` was `seen`.
        """
        if self.count != seen:
            return True
        keys = tuple(partitions)
        waiter = asyncio.get_running_loop().create_future()
        for key in keys:
            self._waiting.setdefault(key, set()).add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._forget(keys, waiter)
        return True

    def _forget(self, keys: Iterable[TopicPartition], waiter: asyncio.Future[None]) -> None:
        for key in keys:
            waiters = self._waiting.get(key)
            if waiters is None:
                continue
            waiters.discard(waiter)
            if not waiters:
                del self._waiting[key]
