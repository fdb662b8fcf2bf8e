"""The console's pages. Every one is a plain document that works without scripts; a script refreshes its live parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import jinja2
import structlog
from roggia_runtime.clock import now_ms
from roggia_runtime.errors import RoggiaError
from roggia_schemas.errors import SchemasError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from roggia_operator.console.access import Guard
from roggia_operator.console.middleware import session_of
from roggia_operator.console.ports import Looking
from roggia_operator.errors import JobError, SelectionError

Page: TypeAlias = Callable[[Request], Awaitable[Response]]
TAIL = 20
"""Newest records per partition that a topic's page shows."""
MENU = (
    ("/", "Pipeline"),
    ("/topics", "Topics"),
    ("/dead-letters", "Dead letters"),
    ("/jobs", "Jobs"),
    ("/generations", "Generations"),
    ("/collections", "Collections"),
    ("/costs", "Costs"),
)
log = structlog.get_logger()


class Pages:
    """Read pages. `render` fills in what every page has: menu, session, form token."""

    def __init__(self, looking: Looking, guard: Guard, templates: jinja2.Environment) -> None:
        self._looking = looking
        self._guard = guard
        self._templates = templates

    def routes(self) -> Sequence[BaseRoute]:
        """Every read page."""
        return [
            Route("/", self.told(self._pipeline)),
            Route("/topics", self.told(self._topics)),
            Route("/topics/{topic}", self.told(self._topic)),
            Route("/dead-letters", self.told(self._letters)),
            Route("/dead-letters/{topic}/{place}", self.told(self._letter)),
            Route("/jobs", self.told(self._jobs)),
            Route("/jobs/{job_id}", self.told(self._job)),
            Route("/generations", self.told(self._generations)),
            Route("/generations/{number}", self.told(self._generation)),
            Route("/collections", self.told(self._collections)),
        ]

    def render(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        """One page."""
        session = session_of(request, self._guard)
        known = {
            "menu": MENU,
            "path": request.url.path,
            "can_act": session is not None,
            "has_token": bool(self._guard.access.token),
            "form_token": self._guard.form_token(session) if session else "",
            "now": now_ms(),
        }
        return HTMLResponse(self._templates.get_template(template).render(known | values), status)

    def told(self, page: Page) -> Page:
        """A page that says what went wrong instead of failing: 404 and 400 for requests, 503 for what is down."""

        async def told(request: Request) -> Response:
            try:
                return await page(request)
            except (SelectionError, SchemasError, JobError) as wrong:
                return self.render(request, "error.html", status=404, title="Not found", message=str(wrong))
            except RoggiaError as down:
                log.warning("console", path=request.url.path, error=str(down))
                return self.render(request, "error.html", status=503, title="Not available", message=str(down))

        return told

    async def _pipeline(self, request: Request) -> Response:
        return self.render(request, "pipeline.html", pipeline=await self._looking.pipeline())

    async def _topics(self, request: Request) -> Response:
        return self.render(
            request, "topics.html", topics=await self._looking.topics(), partitions=await self._looking.partitions()
        )

    async def _topic(self, request: Request) -> Response:
        topic = request.path_params["topic"]
        records = await self._looking.tail(topic, TAIL)
        return self.render(request, "topic.html", topic=topic, records=records)

    async def _letters(self, request: Request) -> Response:
        return self.render(request, "letters.html", groups=await self._looking.letters())

    async def _letter(self, request: Request) -> Response:
        letter = await self._looking.letter(request.path_params["topic"], request.path_params["place"])
        return self.render(request, "letter.html", letter=letter)

    async def _jobs(self, request: Request) -> Response:
        return self.render(request, "jobs.html", jobs=await self._looking.jobs())

    async def _job(self, request: Request) -> Response:
        wanted = request.path_params["job_id"]
        job = next((job for job in await self._looking.jobs() if job.job_id == wanted), None)
        if job is None:
            raise SelectionError(f"JOB: {wanted!r} does not exist; see the list of jobs")
        return self.render(request, "job.html", job=job)

    async def _generations(self, request: Request) -> Response:
        return self.render(request, "generations.html", generations=await self._looking.generations())

    async def _generation(self, request: Request) -> Response:
        wanted, found = request.path_params["number"], await self._looking.generations()
        row = next((one for one in found.rows if str(one.number) == wanted), None)
        if row is None:
            raise SelectionError(f"GENERATION: {wanted!r} does not exist; see the list of generations")
        return self.render(request, "generation.html", one=row, problem=found.problem)

    async def _collections(self, request: Request) -> Response:
        return self.render(request, "collections.html", collections=await self._looking.collections())
