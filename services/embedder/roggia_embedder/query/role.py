"""The query role as one part of a service: routes to add, hooks to start and stop it. Built by the embedder's app."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from roggia_runtime.clock import now_ms
from roggia_schemas.events import GenerationModel
from starlette.routing import BaseRoute

from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.routing import RoutedCatalogue, RoutedStore
from roggia_embedder.ports import EmbeddingModel
from roggia_embedder.query import http
from roggia_embedder.query.collections import collections
from roggia_embedder.query.events import Publish, ServedEvents
from roggia_embedder.query.models import Models
from roggia_embedder.query.search import Searcher
from roggia_embedder.query.service import QueryLimits, QueryService
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.stores import Stores

ALONE = View(tuple, Hosted(1, GenerationModel(uri="")))
"""No record: generation 1 serves."""


class QueryRole:
    """Search and answer over the stores and the models given; more models may be added (`models`). Both belong to the
    caller. `view` is what the record of generations says."""

    def __init__(
        self,
        stores: Stores,
        models: Sequence[EmbeddingModel],
        publish: Publish,
        settings: QuerySettings,
        *,
        view: View = ALONE,
    ) -> None:
        catalogue, store = RoutedCatalogue(stores, view), RoutedStore(stores, view)
        self.models = Models(models, max_waiting=settings.max_waiting)
        self._events = ServedEvents(publish, most=settings.events_queue)
        searcher = Searcher(
            catalogue, store, self.models, now_ms=now_ms, languages=settings.languages, canary=view.canary
        )
        self.service = QueryService(
            searcher,
            self._events,
            limits=QueryLimits(deadline_s=settings.deadline_s, threshold=settings.threshold),
            with_text=settings.tenants_with_query_text,
        )
        self.routes: Sequence[BaseRoute] = http.routes(self.service, partial(collections, stores, view))

    async def start(self) -> None:
        """Load the models and begin publishing what is served. Does not wait for Kafka: search works without it."""
        self._events.start()
        await self.models.start()

    def health(self) -> list[str]:
        """What is not ready."""
        return ["model: loading"] if self.models.loading() else []

    async def stop(self) -> None:
        """After the last request: publish what waits, briefly, and end the encoding threads."""
        await self._events.close()
        await self.models.close()
