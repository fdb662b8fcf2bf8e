"""Composition of the embedder: settings and roles in, a `Service` out. The only module that knows every part."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import structlog
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.hosts import hosts_of
from roggia_runtime.http import HttpServer, application
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.producer import Producer
from roggia_runtime.records import Handler, Record, Verdict
from roggia_runtime.service import Service
from roggia_runtime.settings import BatchLimits, HttpSettings
from roggia_runtime.tables import Table
from roggia_runtime.tenancy import Purge, Tenancy
from roggia_schemas import topics
from roggia_schemas.events import TenantConfig
from starlette.routing import BaseRoute

from roggia_embedder.adapters.sqlite_cache import SqliteVectorCache
from roggia_embedder.embedding.parts import Target
from roggia_embedder.embedding.vectors import VectorSupply
from roggia_embedder.handlers.embed import EmbedHandler
from roggia_embedder.handlers.upsert import UpsertHandler
from roggia_embedder.indexing.departures import Departures
from roggia_embedder.maintenance import Maintenance
from roggia_embedder.popularity import role as popularity
from roggia_embedder.ports import EmbeddingModel, IndexCatalogue, VectorStore
from roggia_embedder.query.publishing import Publisher
from roggia_embedder.query.role import QueryRole
from roggia_embedder.settings import DEFAULT_MODEL, STUB_MODEL, EmbedderOptions, EmbedderSettings
from roggia_embedder.verify import http as verifying
from roggia_embedder.verify.kafka_log import KafkaChunkLog, Stages
from roggia_embedder.verify.limits import Pace
from roggia_embedder.verify.sweep import Sweep
from roggia_embedder.verify.verifier import Verifier

Role: TypeAlias = Literal["embed", "upsert", "query", "popularity"]
_READERS = frozenset({"embed", "upsert", "popularity"})
"""Roles that read Kafka, and must know what holds for tenants."""

SOURCE = "/roggia/embedder"
"""CloudEvents source of what the embedder publishes."""

log = structlog.get_logger()


def build(settings: EmbedderSettings, roles: Sequence[Role], name: str = "embedder") -> Service:
    """The service, not yet started. Raises `ConfigurationError` for a model or store that cannot be used."""
    service = Service(name, settings)
    codec = EventCodec(settings.registry, source=SOURCE, register=settings.environment == "development")
    service.on_stop(codec.stop)
    if _READERS.intersection(roles):
        service.on_start(codec.start)
    tenants = _tenants(service, settings, codec, roles)
    if "embed" in roles:
        _add_embed(service, settings, codec, tenants)
    if "popularity" in roles:
        popularity.add(service, settings.kafka, codec, tenants, settings.popularity)
    if {"upsert", "query"}.intersection(roles):
        store, catalogue = store_of(settings.embedder)
        service.on_stop(store.close)
        verifier = _verifier(settings, codec, store)
        if "upsert" in roles:
            _add_upsert(service, settings, codec, store, catalogue, tenants)
            service.add(Sweep(verifier, settings.embedder.verify_interval_s))
        if "query" in roles:
            _add_query(service, settings, codec, store, catalogue, verifying.routes(verifier))
    return service


def _tenants(
    service: Service, settings: EmbedderSettings, codec: EventCodec, roles: Sequence[Role]
) -> Table[TenantConfig]:
    """What holds for tenants, known before the first record is read."""
    table = Table(settings.kafka, codec, topics.TENANT_CONFIG, TenantConfig)
    if _READERS.intersection(roles):
        service.on_start(table.start)
        service.add(table)
    return table


def _purge(service: Service, tenants: Table[TenantConfig], remove: Callable[[str], Awaitable[int]], what: str) -> None:
    purge = Purge(Tenancy(tenants.rows), remove, what)
    tenants.tell(purge.changed)
    service.add(purge)


def _add_embed(service: Service, settings: EmbedderSettings, codec: EventCodec, tenants: Table[TenantConfig]) -> None:
    options = settings.embedder
    model, cache = model_of(options), SqliteVectorCache(options.cache)

    def made() -> Handler:
        model.warm_up()
        target = Target(options.generation, model.fingerprint, model.dimension, options.part_bytes)
        return EmbedHandler(
            topic=topics.doc_embedded(options.generation),
            codec=codec,
            supply=VectorSupply(model, cache),
            target=target,
            window=model.window,
            tenants=Tenancy(tenants.rows),
        )

    handler = _Late(made)
    service.on_start(cache.start, handler.start)
    service.on_stop(cache.close)
    source = topics.doc_chunked(options.chunker_generation)
    service.add(_loop(settings, options.embed_group, source, handler, "embed", options.embed_batch))
    _purge(service, tenants, cache.forget, "vector cache")


def _add_upsert(
    service: Service,
    settings: EmbedderSettings,
    codec: EventCodec,
    store: VectorStore,
    catalogue: IndexCatalogue,
    tenants: Table[TenantConfig],
) -> None:
    options = settings.embedder
    handler = UpsertHandler(
        codec=codec,
        store=store,
        catalogue=catalogue,
        generation=options.generation,
        tenants=Tenancy(tenants.rows),
    )
    tenants.tell(lambda tenant_id, _: handler.forget(tenant_id))
    _purge(service, tenants, Departures(store, catalogue).remove, "collections")
    service.add(
        _loop(
            settings, options.upsert_group, topics.doc_embedded(options.generation), handler, "upsert", options.batch
        ),
        Maintenance(
            store,
            clock=now_ms,
            retention_s=options.deletion_retention_s,
            maintain_interval_s=options.maintain_interval_s,
            sweep_interval_s=options.sweep_interval_s,
        ),
    )


def _verifier(settings: EmbedderSettings, codec: EventCodec, store: VectorStore) -> Verifier:
    options = settings.embedder
    stages = Stages(
        chunked=topics.doc_chunked(options.chunker_generation),
        embedded=topics.doc_embedded(options.generation),
        embed_group=options.embed_group,
        upsert_group=options.upsert_group,
    )
    pace = Pace(points_per_s=options.verify_points_per_s, patience_s=options.verify_patience_s)
    return Verifier(store, lambda: KafkaChunkLog(settings.kafka, codec, stages), options.generation, pace)


def _add_query(
    service: Service,
    settings: EmbedderSettings,
    codec: EventCodec,
    store: VectorStore,
    catalogue: IndexCatalogue,
    more: Sequence[BaseRoute],
) -> None:
    options = settings.embedder
    publisher = Publisher(Producer(settings.kafka, "roggia-query"), codec)
    role = QueryRole(catalogue, store, [model_of(options)], publisher, settings.query)
    where = HttpSettings(host=options.query_host, port=options.query_port)
    hosts = hosts_of(options.query_host, settings.query.hosts)
    app = application(service.health, [*more, *role.routes], hosts=hosts, hosts_setting="ROGGIA_QUERY__HOSTS")
    http = HttpServer(where, app)

    async def listen() -> None:
        try:
            await http.start()
        except ConfigurationError as error:
            raise ConfigurationError(str(error).replace("ROGGIA_HTTP_PORT", "ROGGIA_EMBEDDER_QUERY_PORT")) from None
        log.info("query", address=f"{options.query_host}:{http.port}")

    service.on_start(listen, role.start)
    service.on_stop(publisher.stop, role.stop, http.stop)
    service.check(role.health)


def _loop(
    settings: EmbedderSettings, group: str, topic: str, handler: Handler, stage: str, limits: BatchLimits
) -> ConsumerLoop:
    return ConsumerLoop(
        settings=settings.kafka,
        group=group,
        topics=[topic],
        lanes=[topics.replay(topic)],
        lane=settings.embedder.lane,
        handler=handler,
        stage=stage,
        delivery=Delivery.AT_LEAST_ONCE,
        limits=limits,
        dlq=settings.embedder.dlq,
    )


class _Late:
    """A handler that can be made only once its model is loaded: in a thread, before the loop runs."""

    def __init__(self, make: Callable[[], Handler]) -> None:
        self._make = make
        self._handler: Handler | None = None

    async def start(self) -> None:
        """Make it. Seconds."""
        self._handler = await asyncio.to_thread(self._make)

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """See `Handler`."""
        if self._handler is None:
            raise RuntimeError("the handler was not started")
        return await self._handler.handle(batch)


def model_of(options: EmbedderOptions) -> EmbeddingModel:
    """The model that the settings name, not loaded yet. Raises `ModelLoadError`."""
    if options.model == STUB_MODEL:
        from roggia_embedder.adapters.models.stub import StubModel

        return StubModel(options.dimension, options.window)
    if options.remote_model:
        from roggia_embedder.adapters.models.openai_http import OpenAiModel

        return OpenAiModel(
            options.model,
            name=options.model_name,
            revision=options.model_revision,
            window=options.window,
            dimension=options.dimension,
            key=options.model_key,
            timeout_s=options.model_timeout_s,
        )
    return _local_model(options)


def _local_model(options: EmbedderOptions) -> EmbeddingModel:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from roggia_embedder.adapters.models.sentence_transformer import SentenceTransformerModel, bundled_path

    bundled = options.model == DEFAULT_MODEL
    return SentenceTransformerModel(
        bundled_path() if bundled else Path(options.model),
        name=DEFAULT_MODEL if bundled else Path(options.model).name,
        window=options.window,
        batch_tokens=options.batch_tokens,
        device=options.device,
        threads=options.threads,
        prefixes=(options.passage_prefix, options.query_prefix),
    )


def store_of(options: EmbedderOptions) -> tuple[VectorStore, IndexCatalogue]:
    """Store and catalogue behind the setting. Raises `StoreLockedError` when another process holds the folder."""
    if options.remote_store:
        from roggia_embedder.adapters.qdrant import QdrantCatalogue, QdrantStore

        key = options.store_key.get_secret_value() if options.store_key else None
        server = QdrantStore.connect(options.store, key, options.tuning)
        return server, QdrantCatalogue(server)
    from roggia_embedder.adapters.edge import EdgeCatalogue, EdgeStore

    folder = Path(options.store)
    return EdgeStore(folder, options.tuning), EdgeCatalogue(folder)
