"""One HTTP surface as a process of its own, for tests that look at the process.

`python -m tests.support.http_served NAME PORT`. Names are those of `SURFACES`: the applications of `http_apps` behind
the services' HTTP server. The registry has a process anyway.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import roggia_ingest.app  # noqa: F401  # its metrics are what a service's port shows
from roggia_embedder.adapters.memory import MemoryStore
from roggia_runtime.http import HttpServer, application
from roggia_runtime.settings import HttpSettings
from starlette.types import ASGIApp

from tests.support.http_apps import HOSTS, console_app, query_app
from tests.support.processes import ServerProcess, free_port


@asynccontextmanager
async def service_app() -> AsyncIterator[ASGIApp]:
    """What every service serves: health and metrics."""
    yield application(list, notes=lambda: ["a lane rests"], hosts=HOSTS)


SURFACES: Final[dict[str, Callable[[], AbstractAsyncContextManager[ASGIApp]]]] = {
    "query": lambda: query_app(MemoryStore()),
    "console": lambda: console_app(Path(tempfile.gettempdir())),
    "service": service_app,
}


def served(name: str, data: Path) -> ServerProcess:
    """The process of a surface, not started."""
    port = free_port()
    return ServerProcess([sys.executable, "-m", "tests.support.http_served", name, str(port)], port, data / "log")


async def serve(name: str, port: int) -> None:
    """Serve until killed."""
    async with SURFACES[name]() as app:
        server = HttpServer(HttpSettings(port=port), app)
        await server.start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
