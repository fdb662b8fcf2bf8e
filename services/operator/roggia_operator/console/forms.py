"""What changes something: sessions, and actions in two steps (a plan that is shown, then exactly that plan)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from roggia_operator.console.access import COOKIE, SESSION_S, Guard
from roggia_operator.console.middleware import session_of
from roggia_operator.console.pages import Page, Pages
from roggia_operator.console.ports import Actions
from roggia_operator.errors import GenerationError, OperatorError, SelectionError

MAX_FORM_BYTES = 256 << 10
MAX_FIELDS = 64


class Forms:
    """Session and action routes."""

    def __init__(self, actions: Actions, guard: Guard, pages: Pages) -> None:
        self._actions = actions
        self._guard = guard
        self._pages = pages

    def routes(self) -> Sequence[BaseRoute]:
        """Every route that takes a form."""
        return [
            Route("/session", self._ask, methods=["GET"]),
            Route("/session", self._open, methods=["POST"]),
            Route("/session/end", self._guarded(self._close), methods=["POST"]),
            Route("/plan/{kind}", self._guarded(self._plan), methods=["POST"]),
            Route("/start/{kind}", self._guarded(self._start), methods=["POST"]),
        ]

    async def _ask(self, request: Request) -> Response:
        return self._pages.render(request, "session.html", failed=False)

    async def _open(self, request: Request) -> Response:
        form = await fields(request)
        session = self._guard.login(form.get("token", "")) if _same_origin(request) else None
        if session is None:
            return self._pages.render(request, "session.html", status=403, failed=True)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE, session, max_age=SESSION_S, httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return response

    async def _close(self, _request: Request) -> Response:
        response = RedirectResponse("/", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    def _guarded(self, page: Page) -> Page:
        """Only for a session, from a form of this console."""

        async def guarded(request: Request) -> Response:
            session = session_of(request, self._guard)
            form = await fields(request)
            if session is None or not _same_origin(request) or not self._guard.is_form(session, form.get("form", "")):
                return self._pages.render(request, "session.html", status=403, failed=False)
            request.state.form = form
            return await self._pages.told(page)(request)

        return guarded

    async def _plan(self, request: Request) -> Response:
        kind, form = request.path_params["kind"], request.state.form
        try:
            plan = await self._actions.plan(kind, form)
        except (SelectionError, GenerationError) as wrong:
            return self._pages.render(request, "error.html", status=400, title="Not possible", message=str(wrong))
        seal = self._guard.seal_plan(kind, plan.payload)
        return self._pages.render(request, "plan.html", plan=plan, seal=seal)

    async def _start(self, request: Request) -> Response:
        kind, form = request.path_params["kind"], request.state.form
        payload = form.get("payload", "")
        seal = form.get("seal", "")
        if not self._guard.is_plan(kind, payload, seal):
            message = (
                "This plan is older than ten minutes, was confirmed already, or is not the one that was shown. "
                "Look whether its job is there, or make it again."
            )
            return self._pages.render(request, "error.html", status=409, title="Not done", message=message)
        self._guard.spend(seal)
        try:
            place = await self._actions.start(kind, payload, who="console", reason=form.get("reason", "").strip())
        except OperatorError as refused:
            self._guard.give_back(seal)
            return self._pages.render(request, "error.html", status=409, title="Not done", message=str(refused))
        return RedirectResponse(place, 303)


async def fields(request: Request) -> Mapping[str, str]:
    """A form's fields; the last of several equal names. Raises `SelectionError` for one that is too large."""
    if hasattr(request.state, "form"):
        form: Mapping[str, str] = request.state.form
        return form
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise SelectionError(f"form: more than {MAX_FORM_BYTES} bytes; select fewer documents")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except (UnicodeDecodeError, ValueError) as wrong:
        raise SelectionError(f"form: cannot be read ({wrong})") from None


def _same_origin(request: Request) -> bool:
    """Whether a browser sent this from our own pages. Clients that are no browsers name no origin."""
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")
