"""Pages of costs: every tenant, one tenant's month, its records, and one inference with its proof."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from roggia_operator.console.pages import Pages
from roggia_operator.console.ports import Auditing

FILTERS = ("day", "model", "status", "late", "cursor")


class AuditPages:
    """Read pages over the audit API."""

    def __init__(self, audit: Auditing, pages: Pages) -> None:
        self._audit, self._pages = audit, pages

    def routes(self) -> Sequence[BaseRoute]:
        """Every page of costs."""
        told = self._pages.told
        return [
            Route("/costs", told(self._months)),
            Route("/costs/{tenant}", told(self._costs)),
            Route("/costs/{tenant}/records", told(self._records)),
            Route("/inferences/{event_id}", told(self._inference)),
        ]

    async def _months(self, request: Request) -> Response:
        return self._pages.render(request, "costs.html", months=await self._audit.months())

    async def _costs(self, request: Request) -> Response:
        found = await self._audit.costs(request.path_params["tenant"], request.query_params.get("month", ""))
        return self._pages.render(request, "cost.html", costs=found)

    async def _records(self, request: Request) -> Response:
        given = {name: request.query_params[name] for name in FILTERS if request.query_params.get(name)}
        page = await self._audit.records(request.path_params["tenant"], given)
        filters = {name: value for name, value in given.items() if name != "cursor"}
        return self._pages.render(request, "records.html", page=page, filters=filters)

    async def _inference(self, request: Request) -> Response:
        found = await self._audit.inference(request.path_params["event_id"])
        shown = msgspec.json.encode({"record": found.record, "proof": found.proof}).decode() if found.proof else ""
        return self._pages.render(request, "inference.html", one=found, shown=shown)
