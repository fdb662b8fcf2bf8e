"""`GET /v1/lag` of the operator: what the monitor knows, as JSON."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from roggia_operator.lag import plain
from roggia_operator.lag.monitor import Monitor

PATH = "/v1/lag"


def routes(monitor: Monitor) -> list[Route]:
    """The route of one monitor."""

    async def lag(_request: Request) -> Response:
        return JSONResponse(plain.snapshot(monitor.snapshot()))

    return [Route(PATH, lag)]
