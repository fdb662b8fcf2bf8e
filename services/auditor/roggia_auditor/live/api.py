"""`GET /v1/live`: the views as JSON, which says what they are worth."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from heapq import nlargest
from ipaddress import ip_address
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from roggia_auditor.live.sketch import ERROR
from roggia_auditor.live.views import FOLDED, Views
from roggia_auditor.live.windows import WINDOWS, Cell, Cells, Key, merged

PATH = "/v1/live"
WHY = (
    "Read from inference.completed without the ledger: an event that was sent twice counts twice, quantiles have a "
    "relative error, a window spans its length but for a part of its newest slot. Rebuilt from the topic at every "
    "start. Exact figures are those of the ledger: tenant.usage, tenant.budget."
)
_MOST = 1_000


class LiveApi:
    """Answers from the views of this process: where several share the partitions, each knows its own."""

    def __init__(self, views: Views, now: Callable[[], int], token: SecretStr | None, host: str) -> None:
        self._views, self._now = views, now
        self._token = None if token is None else token.get_secret_value()
        self._open = _is_loopback(host)

    def routes(self) -> list[Route]:
        """For the service's HTTP server."""
        return [Route(PATH, self.answer, methods=["GET"])]

    async def answer(self, request: Request) -> Response:
        """200 with the views; 400 for a filter that does not exist, 401 without the token, 403 where none is set."""
        if (refused := self._refused(request)) is not None:
            return refused
        filters = dict(request.query_params)
        limit = filters.pop("limit", str(_MOST))
        if wrong := sorted(set(filters) - set(Key._fields)):
            return _error(400, f"{wrong[0]}: no filter; there are {', '.join(Key._fields)} and limit")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= _MOST:
            return _error(400, f"limit: {limit!r} is not between 1 and {_MOST}")
        return JSONResponse(self.body(filters, int(limit)))

    def body(self, filters: Mapping[str, str], limit: int) -> dict[str, Any]:
        """What is answered: the busiest `limit` keys of those that match all filters, and the sum of all of these."""
        at = max(self._now(), self._views.newest())
        found = self._views.read(at, lambda key: all(getattr(key, name) == text for name, text in filters.items()))
        busiest = nlargest(limit, found.items(), key=lambda row: (row[1][-1].requests, row[0]))
        return {
            "approximate": True,
            "why": WHY,
            "at": at,
            "as_of": [one._asdict() for one in self._views.as_of()],
            "relative_error": ERROR,
            "windows_minutes": [window.minutes for window in WINDOWS],
            "keys": len(found),
            "folded": FOLDED in found,
            "total": _windows(merged(found.values())),
            "series": [{**key._asdict(), "windows": _windows(cells)} for key, cells in busiest],
        }

    def _refused(self, request: Request) -> Response | None:
        if self._token is None:
            return None if self._open else _error(403, "ROGGIA_LIVE_TOKEN: set one, or listen on a loopback address")
        given = request.headers.get("authorization", "").encode()
        return None if hmac.compare_digest(given, f"Bearer {self._token}".encode()) else _error(401, "token: not it")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _windows(cells: Cells) -> dict[str, Any]:
    return {str(window.minutes): _cell(cell) for window, cell in zip(WINDOWS, cells, strict=True)}


def _cell(cell: Cell) -> dict[str, Any]:
    quantiles = {f"p{percent}_ms": _rounded(cell.latency.quantile(percent / 100)) for percent in (50, 95)}
    return {"requests": cell.requests, "tokens": cell.tokens, "errors": cell.errors, **quantiles}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _error(status: int, message: str) -> Response:
    code = {400: "invalid_request", 401: "unauthorized", 403: "forbidden"}[status]
    return JSONResponse({"error": {"code": code, "message": message, "field": message.partition(":")[0]}}, status)
