"""The console as one ASGI application."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from roggia_operator.console.access import Access, Guard
from roggia_operator.console.audit_pages import AuditPages
from roggia_operator.console.forms import Forms
from roggia_operator.console.middleware import Confined
from roggia_operator.console.pages import Pages
from roggia_operator.console.ports import Actions, Auditing, Looking
from roggia_operator.console.render import environment
from roggia_operator.errors import SelectionError


def application(looking: Looking, actions: Actions, audit: Auditing, access: Access) -> ASGIApp:
    """The console: pages, forms and their style, behind the host check."""
    guard = Guard(access)
    pages = Pages(looking, guard, environment())

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 400
        message = str(error) if isinstance(error, SelectionError) else f"{request.method} {request.url.path}"
        title = "Not found" if status == 404 else "Not possible"
        return pages.render(request, "error.html", status=status, title=title, message=message)

    inner = Starlette(
        routes=[
            *pages.routes(),
            *AuditPages(audit, pages).routes(),
            *Forms(actions, guard, pages).routes(),
            Mount("/static", StaticFiles(directory=_static())),
        ],
        exception_handlers={HTTPException: refused, SelectionError: refused},
    )
    inner.router.redirect_slashes = False
    return Confined(inner, guard)


def _static() -> Path:
    with as_file(files("roggia_operator.console").joinpath("static")) as folder:
        return folder
