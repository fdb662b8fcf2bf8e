"""The words of the group protocol."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kio.schema.errors import ErrorCode


class GroupState(enum.Enum):
    """States of a group, with the names that clients are shown."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


@dataclass(frozen=True, slots=True)
class Join:
    """A request to join. `needs_id`: the client knows that it must ask again with the id it is given."""

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: Mapping[str, bytes]
    needs_id: bool
    skips_assignment: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """The answer to a join: the generation, or why not."""

    error: ErrorCode
    member_id: str
    generation: int = -1
    protocol_type: str | None = None
    protocol: str | None = None
    leader: str = ""
    skip_assignment: bool = False
    members: tuple[tuple[str, str | None, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Synced:
    """The answer to a sync: what this member reads, or why not."""

    error: ErrorCode
    assignment: bytes = b""
    protocol_type: str | None = None
    protocol: str | None = None


@dataclass(slots=True)
class Member:
    """One consumer in a group, with the requests of it that wait."""

    id: str
    instance_id: str | None
    client_id: str
    host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: Mapping[str, bytes]
    assignment: bytes = b""
    joining: asyncio.Future[Joined] | None = None
    syncing: asyncio.Future[Synced] | None = None
    session: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def has_joined(self) -> bool:
        """It asked to join the coming generation and is still there to hear the answer."""
        return self.joining is not None and not self.joining.cancelled()

    @property
    def waits(self) -> bool:
        """One of its requests is open, so that it cannot be expected to send heartbeats."""
        return any(future is not None and not future.done() for future in (self.joining, self.syncing))

    def as_value(self) -> dict[str, Any]:
        """The form on disk."""
        return {
            "id": self.id,
            "instance_id": self.instance_id,
            "client_id": self.client_id,
            "host": self.host,
            "session_timeout_ms": self.session_timeout_ms,
            "rebalance_timeout_ms": self.rebalance_timeout_ms,
            "protocols": {name: data.hex() for name, data in self.protocols.items()},
            "assignment": self.assignment.hex(),
        }

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Member:
        """Back from the form on disk."""
        protocols = {name: bytes.fromhex(data) for name, data in value["protocols"].items()}
        return cls(**{**value, "protocols": protocols, "assignment": bytes.fromhex(value["assignment"])})
