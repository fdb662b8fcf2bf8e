"""The console as one part of the operator service: a server of its own, started and stopped with it."""

from __future__ import annotations

import structlog
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.http import HttpServer
from roggia_runtime.service import Service
from roggia_runtime.settings import HttpSettings
from starlette.types import ASGIApp

from roggia_operator.console.settings import ConsoleOptions

log = structlog.get_logger()


def add_console(service: Service, app: ASGIApp, options: ConsoleOptions) -> None:
    """Serve `app` as long as `service` runs."""
    server = HttpServer(HttpSettings(host=options.host, port=options.port), app)

    async def listen() -> None:
        try:
            await server.start()
        except ConfigurationError as error:
            raise ConfigurationError(str(error).replace("ROGGIA_HTTP_PORT", "ROGGIA_OPERATOR_CONSOLE_PORT")) from None
        actions = "unlocked by its token" if options.token else "off"
        log.info("console", address=f"http://{options.host}:{server.port}", actions=actions)

    service.on_start(listen)
    service.on_stop(server.stop)
