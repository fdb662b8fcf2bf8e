"""From a frame to its handler and back."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Mapping

from roggia_devstack.api.call import Call, Handler
from roggia_devstack.wire import frames
from roggia_devstack.wire.apis import API_VERSIONS, Api
from roggia_devstack.wire.cursor import Cursor
from roggia_devstack.wire.decode import Message
from roggia_devstack.wire.frames import RequestHeader

Answer = bytearray | None


class Dispatcher:
    """Knows every handler. Calling it raises `WireError` for bytes that are no request."""

    def __init__(self, handlers: Mapping[Api, Handler]) -> None:
        self._handlers = handlers

    def __call__(self, data: bytes, start: int, host: str) -> Answer | Awaitable[Answer]:
        """Serve one frame; the awaitable is returned when the answer has to wait for something."""
        cursor = Cursor(data, start)
        header = frames.read_header(cursor)
        unknown_version = header.api is API_VERSIONS and header.version > API_VERSIONS.highest
        request: Message = {} if unknown_version else frames.read_body(cursor, header)
        call = Call(header.version, header.client_id or "", host)
        response = self._handlers[header.api](request, call)
        if response is None or isinstance(response, dict):
            return _frame(header, response)
        return _later(header, response)


def _frame(header: RequestHeader, response: Message | None) -> Answer:
    return None if response is None else frames.response_frame(header, response)


async def _later(header: RequestHeader, response: Awaitable[Message | None]) -> Answer:
    return _frame(header, await response)


def merge(*families: Mapping[Api, Handler]) -> dict[Api, Handler]:
    """All handlers in one table."""
    return functools.reduce(lambda merged, family: {**merged, **family}, families, {})
