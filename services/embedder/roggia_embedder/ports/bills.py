"""What embedding has cost and nobody was told of yet, as domain code sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a model computed for one tenant since the bill before: one `inference.completed`, whose id it chooses.

    `at`: when it began to be spent, milliseconds since 1970. `replayed`: for an operator's replay or a generation that
    fills, not for a change of the tenant's. `shadow`: for a query that measures, or is asked of a generation in the
    shadow. `reported`: the model's server counted the tokens; else they were counted here. `latency_ms`: the longest
    call of the model that it holds.
    """

    event_id: str
    at: int
    tenant_id: str
    provider: str
    model: str
    model_version: str
    replayed: bool
    reported: bool
    tokens: int
    latency_ms: float
    shadow: bool = False


class BillBox(Protocol):
    """Bills that wait to be told. Raises `CacheUnavailableError`."""

    async def bills(self, limit: int) -> Sequence[Bill]:
        """The oldest that wait, at most `limit`."""
        ...

    async def settle(self, event_ids: Sequence[str]) -> None:
        """These were told: they wait no more."""
        ...
