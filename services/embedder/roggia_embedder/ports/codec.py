"""The event codec, as domain code sees it."""

from __future__ import annotations

from typing import Protocol, TypeVar

from roggia_runtime.records import Headers, Output, Record
from roggia_schemas.wiretypes import Event

E = TypeVar("E", bound=Event)


class EventCodec(Protocol):
    """Events from records and back; the runtime's `EventCodec` is one."""

    async def decode(self, cls: type[E], record: Record) -> E:
        """The event in a record. Raises the schemas package's errors, or `UnavailableError`."""
        ...

    def output(self, topic: str, event: Event, *, parent_headers: Headers = ()) -> Output:
        """The record to produce for an event, with key and headers."""
        ...
