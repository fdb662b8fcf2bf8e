"""Noticing that a transactional producer lost a connection: what it committed just before may hang since."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiokafka import AIOKafkaProducer
from aiokafka.client import ConnectionGroup

_EVERY_S = 1.0
_WRITTEN_S = 60.0
"""After which a commit's markers are written, where no connection was lost meanwhile: brokers take milliseconds."""


class Link:
    """A started transactional producer's connections to its coordinators, since it last was sure of its last commit.

    A connection ends with the broker behind it, and a broker that starts anew may lose markers of a transaction that
    it has acknowledged. One that ends long after the last commit (for idleness, for instance) says nothing.
    """

    def __init__(self, client: AIOKafkaProducer, now: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, now
        self._trusted = self._open()
        self._committed_at = self._whole_at = now()
        self._asked_at = float("-inf")

    def lost(self) -> bool:
        """Whether the last commit may hang."""
        found = self._open()
        if not self._trusted <= found and self._whole_at - self._committed_at < _WRITTEN_S:
            return True
        self._trusted, self._whole_at = found, self._clock()
        return False

    def due(self) -> bool:
        """Whether it is time to look at a commit that may hang: the broker may be away, so once a second at most."""
        if not self.lost() or self._clock() - self._asked_at < _EVERY_S:
            return False
        self._asked_at = self._clock()
        return True

    def committed(self) -> None:
        """A transaction was committed now."""
        self._committed_at = self._clock()

    def trust(self) -> None:
        """Nothing hangs now."""
        self._trusted = self._open()
        self._committed_at = self._whole_at = self._clock()

    def _open(self) -> frozenset[object]:
        found = self._client.client._conns.items()  # noqa: SLF001  # the client tells nobody of a lost connection
        return frozenset(
            conn for (_, group), conn in found if group == ConnectionGroup.COORDINATION and conn.connected()
        )
