"""Producer ids, never given twice, also after kill -9."""

from __future__ import annotations

from typing import Final

from roggia_devstack.storage import StateStore

_KIND: Final = "producer_ids"
_KEY: Final = "next"
_BLOCK: Final = 1000


class ProducerIds:
    """Takes ids from a block whose end is on disk before its first id is used."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        stored = {key: value["next"] for key, value in state.items(_KIND).items()}
        self._next = self._end = int(stored.get(_KEY, 0))

    def take(self) -> int:
        """A new id."""
        if self._next == self._end:
            self._end += _BLOCK
            self._state.put(_KIND, _KEY, {"next": self._end})
        taken = self._next
        self._next += 1
        return taken
