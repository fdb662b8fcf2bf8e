"""The model registry as one part of the operator service: a worker and its routes."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from roggia_operator.models import plain, webhook
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_operator.models.poller import Counts, Pace, Poller
from roggia_operator.models.ports import Standings, Wishes
from roggia_operator.models.settings import ModelsOptions

PATH = "/v1/models"


@dataclass(frozen=True, slots=True)
class Role:
    """What `app.build` adds: `service.add(role.poller)`, and `role.routes` among the service's routes."""

    poller: Poller
    routes: list[Route]


def build(options: ModelsOptions, standings: Standings, wishes: Wishes, counts: Counts = dict) -> Role:
    """The poller of the registry that the settings name. MLflow is loaded when there is something to read."""
    poller = Poller(
        MlflowRegistry(options.uri),
        standings,
        wishes,
        pace=Pace(options.poll_s),
        stages=options.stages,
        counts=counts,
        objectives=options.objectives,
    )

    async def models(_request: Request) -> Response:
        return JSONResponse(plain.view(poller.view))

    routes = [Route(PATH, models)]
    if options.webhook_secret is not None:
        routes += webhook.routes(options.webhook_secret.get_secret_value(), poller.wake)
    return Role(poller, routes)
