"""What every answer of the console goes through: the host check, private reading, and headers that confine the page."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roggia_operator.console.access import COOKIE, Guard

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
}
_OPEN = ("/session", "/static/")
"""What a private console shows to those without a session."""


class Confined:
    """ASGI middleware of the console alone."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal = self._refusal(request)
        await (refusal or self._app)(scope, receive, _confining(send))

    def _refusal(self, request: Request) -> Response | None:
        if not self._guard.known_host(request.headers.get("host", "")):
            return PlainTextResponse(
                "Host: this name is not the console's; add it to ROGGIA_OPERATOR_CONSOLE_HOSTS", 421
            )
        if (
            self._guard.access.private
            and not request.url.path.startswith(_OPEN)
            and not session_of(request, self._guard)
        ):
            return RedirectResponse("/session", 303)
        return None


def session_of(request: Request, guard: Guard) -> str | None:
    """The caller's session, or None."""
    return guard.session(request.cookies.get(COOKIE, ""))


def _confining(send: Send) -> Send:
    async def confined(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                if name not in headers:
                    headers[name] = value
        await send(message)

    return confined
