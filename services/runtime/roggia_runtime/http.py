"""The small HTTP server in every service: health, metrics, and a service's own routes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from roggia_runtime.errors import ConfigurationError
from roggia_runtime.hosts import EVERY, Hosts, KnownHosts
from roggia_runtime.http_limits import Limits, TimelyBodies, protocol
from roggia_runtime.settings import HttpSettings

Health = Callable[[], list[str]]
_UNAVAILABLE = 503


def application(
    health: Health,
    routes: Sequence[BaseRoute] = (),
    notes: Health = list,
    *,
    hosts: Hosts = EVERY,
    hosts_setting: str = "ROGGIA_HTTP_HOSTS",
) -> Starlette:
    """`/health/live`, `/health/ready`, `/metrics` and `routes` as one application.

    `health` names what is not ready, `notes` what is wrong beside that.
    Called by another name than `hosts` has, it refuses and names `hosts_setting`, but for `/health`.
    """

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_request: Request) -> Response:
        missing = health()
        body: dict[str, object] = {"status": "not ready" if missing else "ready", "not_ready": missing}
        if beside := notes():
            body["notes"] = beside
        return JSONResponse(body, _UNAVAILABLE if missing else 200)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    own = [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)]
    made = Starlette(routes=[*own, *routes], middleware=[Middleware(KnownHosts, hosts, hosts_setting)])
    # A redirect would be made of the Host header, which the client chooses.
    made.router.redirect_slashes = False
    return made


class HttpServer:
    """uvicorn inside the service's own event loop. Signals stay with the service."""

    def __init__(self, settings: HttpSettings, app: ASGIApp, limits: Limits | None = None) -> None:
        """`limits` are those of the settings unless given."""
        self._settings = settings
        limits = limits or Limits(settings.max_connections)
        config = uvicorn.Config(
            TimelyBodies(app, limits), http=protocol(limits), log_config=None, access_log=False, lifespan="off"
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None
        self.port = settings.port

    async def start(self) -> None:
        """Listen. Raises `ConfigurationError` when the address is taken or not ours."""
        listener = self._listen()
        self.port = int(listener.getsockname()[1])
        self._task = asyncio.create_task(self._server.serve([listener]))

    async def stop(self, timeout_s: float = 5.0) -> None:
        """Finish open requests within `timeout_s` seconds and stop listening."""
        task, self._task = self._task, None
        if task is None:
            return
        self._server.should_exit = True
        await asyncio.wait({task}, timeout=timeout_s)
        if not task.done():
            self._server.force_exit = True
            await task

    def _listen(self) -> socket.socket:
        host, port = self._settings.host, self._settings.port
        try:
            return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            raise ConfigurationError(
                f"ROGGIA_HTTP_PORT: cannot listen on {host}:{port}: {error.strerror}; choose another port"
            ) from None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the service: uvicorn would take SIGTERM for itself and raise it again at the end."""
        yield
