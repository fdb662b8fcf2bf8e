"""Who may write. Weaviate has no conditional write, so the guard is: read, compare, write, and nobody else writes.

A document is written by the consumer of its partition, and inside a process one write follows the other; what is left
is another process. The writer therefore keeps a lease, an object with its name and a time, and whoever finds another's
that is still good waits. Weaker than a guard of the server: two that claim in the same moment may both read their own
name back, a writer that stands still for longer than its lease after it has compared may overwrite what came since, and
clocks of two machines may differ.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from roggia_embedder.adapters.weaviate.state import State
from roggia_embedder.errors import StoreUnavailableError

_LEASE_MS: Final = 90_000
_WRITER: Final = "writer"


class Lease:
    """One writer's claim. `clock` gives milliseconds, UTC."""

    def __init__(self, state: State, clock: Callable[[], int]) -> None:
        self._state, self._clock = state, clock
        self._owner = secrets.token_hex(8)
        self._until = 0

    async def hold(self) -> None:
        """Before every write. Renewed when half of it is left. Raises `StoreUnavailableError` while another has it."""
        now = self._clock()
        if self._until - now > _LEASE_MS // 2:
            return
        self._refuse(await self._state.read(_WRITER), now)
        until = now + _LEASE_MS
        await self._state.write(_WRITER, {"owner": self._owner, "until": until})
        self._refuse(await self._state.read(_WRITER), now)
        self._until = until

    async def keep(self) -> None:
        """Now and then: a writer that has nothing to write stays the writer. One that never wrote claims nothing."""
        if self._until:
            await self.hold()

    async def release(self) -> None:
        """The next writer need not wait."""
        held, self._until = self._until, 0
        if held:
            await self._state.write(_WRITER, {"owner": "", "until": 0})

    def _refuse(self, held: dict[str, object], now: int) -> None:
        owner, until = str(held.get("owner", "")), held.get("until", 0)
        if owner not in ("", self._owner) and isinstance(until, int) and until > now:
            raise StoreUnavailableError(
                f"vector store (Weaviate): writer {owner} has the lease for {(until - now) // 1_000} s more; it admits "
                "one writer, because it has no conditional writes: run one upsert role, or use Qdrant or PostgreSQL"
            )
