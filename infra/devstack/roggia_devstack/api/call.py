"""What every handler is given besides the request itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from roggia_devstack.wire.apis import Api
from roggia_devstack.wire.decode import Message


@dataclass(frozen=True, slots=True)
class Call:
    """The version that the client speaks, and who it says it is."""

    version: int
    client_id: str
    host: str


Handler = Callable[[Message, Call], Message | Awaitable[Message | None] | None]
Handlers = Mapping[Api, Handler]
"""Handlers return every field that any version has; None means that no answer is sent. They may wait."""
