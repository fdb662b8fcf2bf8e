"""The query role as one part of a service: routes to add, hooks to start and stop it. Built by the embedder's app."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from roggia_runtime.clock import now_ms
from roggia_schemas.events import GenerationModel
from starlette.routing import BaseRoute

from roggia_embedder.embedding.metering import Metering
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.routing import RoutedCatalogue, RoutedStore
from roggia_embedder.ports import EmbeddingModel
from roggia_embedder.query import http
from roggia_embedder.query.collections import collections
from roggia_embedder.query.events import Publish, PublishShadowed, ServedEvents, ShadowedEvents
from roggia_embedder.query.models import NOT_METERED, Models
from roggia_embedder.query.search import Searcher
from roggia_embedder.query.service import QueryLimits, QueryService
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.query.shadow.admission import Admission
from roggia_embedder.query.shadow.shadowing import Record, Shadowing
from roggia_embedder.stores import Stores

ALONE = View(tuple, Hosted(1, GenerationModel(uri="")))
"""No record: generation 1 serves."""


class QueryRole:
    """Search and answer over the stores and the models given; more models may be added (`models`). Both belong to the
    caller. `view` is what the record of generations says; `shadow` tells what one in the shadow answers, and without it
    nothing is asked there. `metering`: what of the models' work is counted, into `models.bills`."""

    def __init__(
        self,
        stores: Stores,
        models: Sequence[EmbeddingModel],
        publish: Publish,
        settings: QuerySettings,
        *,
        view: View = ALONE,
        shadow: PublishShadowed | None = None,
        metering: Metering = NOT_METERED,
    ) -> None:
        catalogue, store = RoutedCatalogue(stores, view), RoutedStore(stores, view)
        self.models = Models(models, max_waiting=settings.max_waiting, metering=metering)
        self._events = ServedEvents(publish, most=settings.events_queue)
        searcher = Searcher(
            catalogue, store, self.models, now_ms=now_ms, languages=settings.languages, canary=view.canary
        )
        self._shadowed = ShadowedEvents(shadow, most=settings.events_queue) if shadow else None
        self._shadowing: Shadowing | None = None
        if self._shadowed is not None:
            self._shadowing = self._shadow(searcher, self._shadowed, settings, Record(view.shadow, view.state))
        self.service = QueryService(
            searcher,
            self._events,
            limits=QueryLimits(deadline_s=settings.deadline_s, threshold=settings.threshold),
            with_text=settings.tenants_with_query_text,
            shadow=self._shadowing,
        )
        self.routes: Sequence[BaseRoute] = http.routes(self.service, partial(collections, stores, view))

    async def start(self) -> None:
        """Load the models and begin publishing what is served. Does not wait for Kafka: search works without it."""
        for queue in self._queues():
            queue.start()
        await self.models.start()

    def health(self) -> list[str]:
        """What is not ready."""
        return ["model: loading"] if self.models.loading() else []

    async def stop(self) -> None:
        """After the last request: publish what waits, briefly, and end the encoding threads."""
        if self._shadowing is not None:
            await self._shadowing.close()
        await asyncio.gather(*(queue.close() for queue in self._queues()))
        await self.models.close()

    def _queues(self) -> list[ServedEvents | ShadowedEvents]:
        return [self._events, *([self._shadowed] if self._shadowed is not None else [])]

    def _shadow(self, searcher: Searcher, events: ShadowedEvents, settings: QuerySettings, record: Record) -> Shadowing:
        admission = Admission(settings.shadow, lambda: self.service.in_flight())  # noqa: PLW0108 - the service comes later
        return Shadowing(searcher, events, settings.shadow, admission, record, settings.tenants_with_query_text)
