"""Noticing that a transactional producer lost a connection: what it committed just before may hang since."""

from __future__ import annotations

import time

from aiokafka import AIOKafkaProducer
from aiokafka.client import ConnectionGroup

_EVERY_S = 1.0


class Link:
    """A started transactional producer's connections to its coordinators, compared with those it last had for good.

    A connection ends with the broker behind it, and a broker that starts anew may lose a marker of a transaction that
    it has acknowledged. It also ends for idleness, or because the coordinator moved: a look too many costs a request.
    """

    def __init__(self, client: AIOKafkaProducer) -> None:
        self._client = client
        self._trusted = self._now()
        self._asked_at = float("-inf")

    def doubtful(self) -> bool:
        """Whether they differ from the trusted ones. Says so once a second at most: the broker may be away for long."""
        if self._now() == self._trusted or time.monotonic() - self._asked_at < _EVERY_S:
            return False
        self._asked_at = time.monotonic()
        return True

    def trust(self) -> None:
        """Nothing hangs now."""
        self._trusted = self._now()

    def _now(self) -> frozenset[object]:
        found = self._client.client._conns.items()  # noqa: SLF001  # the client tells nobody of a lost connection
        return frozenset(
            conn for (_, group), conn in found if group == ConnectionGroup.COORDINATION and conn.connected()
        )
