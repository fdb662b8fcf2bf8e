"""Headers and whole frames: what surrounds a message on a connection."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from roggia_devstack.wire import apis
from roggia_devstack.wire.cursor import Cursor
from roggia_devstack.wire.decode import Message, reader
from roggia_devstack.wire.encode import writer
from roggia_devstack.wire.errors import UnsupportedApiError

_PREFIX: Final = struct.Struct(">hhi")
_SIZE_AND_CORRELATION: Final = struct.Struct(">ii")


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """Which API is asked for, in which version, by whom."""

    api: apis.Api
    version: int
    correlation_id: int
    client_id: str | None


def read_header(cursor: Cursor) -> RequestHeader:
    """Read a request header, stopping before the body.

    For an ApiVersions version from the future the rest of the header is left unread: its answer does not depend on it.
    Raises `MalformedError`, `UnsupportedApiError`.
    """
    key, version, correlation_id = _PREFIX.unpack_from(cursor.data, cursor.skip(_PREFIX.size))
    api = apis.APIS.get(key)
    if api is None:
        raise UnsupportedApiError(f"API key {key} is not served")
    if api is apis.API_VERSIONS and not api.lowest <= version <= api.highest:
        return RequestHeader(api, version, correlation_id, None)
    pair = apis.messages(api, version)
    size = cursor.int16()
    client_id = None if size == -1 else cursor.text(size)
    if pair.flexible:
        cursor.skip_tags()
    return RequestHeader(api, version, correlation_id, client_id)


def read_body(cursor: Cursor, header: RequestHeader) -> Message:
    """Read the request that follows `header`.

    Bytes after it are ignored, as Kafka does: librdkafka 2.16 leaves three after a Metadata request for all topics.
    """
    return reader(apis.messages(header.api, header.version).request)(cursor)


def response_frame(header: RequestHeader, response: Message) -> bytearray:
    """The framed answer to a request. ApiVersions always has the oldest header, so that any client can read it."""
    version = header.version
    if header.api is apis.API_VERSIONS and version > header.api.highest:
        version = 0
    pair = apis.messages(header.api, version)
    out = bytearray(_SIZE_AND_CORRELATION.size)
    if pair.flexible and header.api is not apis.API_VERSIONS:
        out.append(0)
    writer(pair.response)(out, response)
    _SIZE_AND_CORRELATION.pack_into(out, 0, len(out) - 4, header.correlation_id)
    return out
