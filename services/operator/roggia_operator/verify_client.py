"""Client of `POST /v1/verify`: what an index gets wrong, as it is found. For commands, replay and the console."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import aiohttp
import msgspec
from roggia_runtime.errors import UnavailableError
from roggia_runtime.findings import VERIFY_PATH, Failure, Finding, Message, Summary, VerifyRequest, message

from roggia_operator.errors import OperatorError, SelectionError

_LONGEST_LINE = 1 << 20
_SILENCE_S = 300.0
"""A server that verifies says something much more often than this."""
_BAD_REQUEST, _BUSY = 400, 409


class VerifyError(OperatorError):
    """A verification did not come to its end: the server gave it up, refused it, or the answer was cut off."""


async def messages(query_url: str, request: VerifyRequest) -> AsyncGenerator[Message]:
    """Everything that a run says, its `Summary` last. Closing the iterator ends the run.

    `query_url` is the address of the query service. Raises `UnavailableError` when nothing answers there,
    `SelectionError` for a request that it does not understand, `VerifyError` for a run without an end.
    """
    last: Message | None = None
    async for line in _lines(query_url.rstrip("/"), request):
        last = message(line)
        if isinstance(last, Failure):
            raise VerifyError(f"verify: {last.message}")
        yield last
    if not isinstance(last, Summary):
        raise VerifyError(f"verify: the answer of {query_url} was cut off; see that service's log")


async def findings(query_url: str, request: VerifyRequest) -> AsyncGenerator[Finding]:
    """The findings alone. Raises as `messages` does."""
    async with aclosing(messages(query_url, request)) as said:
        async for one in said:
            if isinstance(one, Finding):
                yield one


async def _lines(base: str, request: VerifyRequest) -> AsyncIterator[bytes]:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=_SILENCE_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, read_bufsize=_LONGEST_LINE) as http,
            http.post(base + VERIFY_PATH, data=msgspec.json.encode(request)) as reply,
        ):
            if reply.status >= _BAD_REQUEST:
                raise _refusal(base, reply.status, await reply.read())
            async for line in reply.content:
                yield line
    except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError) as cut:
        raise VerifyError(f"verify: the answer of {base} was cut off ({cut}); see that service's log") from cut
    except (aiohttp.ClientError, TimeoutError, OSError) as failed:
        raise UnavailableError(f"no query service answers at {base} ({type(failed).__name__})") from failed


def _refusal(base: str, status: int, body: bytes) -> OperatorError:
    try:
        said = str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        said = f"{base} answered {status}"
    return SelectionError(said) if status == _BAD_REQUEST else VerifyError(said)
