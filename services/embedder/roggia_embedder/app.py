"""Composition of the embedder: settings and roles in, a `Service` out. The only module that knows every part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import structlog
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.session import OnAssigned
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.hosts import hosts_of
from roggia_runtime.http import HttpServer, application
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.producer import Producer
from roggia_runtime.records import Handler
from roggia_runtime.service import Service, Worker
from roggia_runtime.settings import BatchLimits, HttpSettings
from roggia_runtime.tables import Table
from roggia_runtime.tenancy import Purge, Tenancy
from roggia_schemas import topics
from roggia_schemas.events import GenerationModel, IndexGeneration, TenantConfig
from starlette.routing import BaseRoute

from roggia_embedder.adapters.sqlite_cache import SqliteVectorCache
from roggia_embedder.embedding.metering import Metering
from roggia_embedder.embedding.telling import Telling
from roggia_embedder.errors import UnknownStoreError
from roggia_embedder.generations.embedding import EmbedWorker
from roggia_embedder.generations.encoding import Ahead, EmbedParts
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.hosting import MOST_S, Hosting
from roggia_embedder.generations.keeping import CacheRetirement, Following, Keeper, Retirement
from roggia_embedder.generations.lane import lane as head_start_lane
from roggia_embedder.generations.loading import load as load_model
from roggia_embedder.generations.pointing import Aliases, Leftovers
from roggia_embedder.generations.querying import QueryModels
from roggia_embedder.generations.reference import reference_of, reference_to
from roggia_embedder.generations.turns import Turns
from roggia_embedder.generations.unhurried import Unhurried
from roggia_embedder.generations.upserting import UpsertWorker
from roggia_embedder.generations.verifying import Verifiers
from roggia_embedder.handlers.upsert import UpsertHandler
from roggia_embedder.indexing.departures import Departures
from roggia_embedder.maintenance import Maintenance
from roggia_embedder.popularity import role as popularity
from roggia_embedder.ports import EmbeddingModel, IndexCatalogue, ModelSource, VectorStore
from roggia_embedder.query.models import Models
from roggia_embedder.query.publishing import Publisher
from roggia_embedder.query.role import QueryRole
from roggia_embedder.settings import EmbedderOptions, EmbedderSettings, embed_group, upsert_group
from roggia_embedder.stores import OWN, OpenStore, Stores
from roggia_embedder.verify import http as verifying
from roggia_embedder.verify.kafka_log import KafkaSettledLog, Stages
from roggia_embedder.verify.limits import Pace
from roggia_embedder.verify.sweep import Sweep
from roggia_embedder.verify.verifier import Runs, Verifier

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
    tenants, record = _tables(service, settings, codec, roles)
    parts = _Parts(service, settings, codec, tenants, record)
    hosted = settings.embedder.hosted
    if {"embed", "query"}.intersection(roles) and (hosted is None or parts.view.baseline in hosted):
        model_of(settings.embedder)  # a wrong one is said at once, before anything is waited for
    if "embed" in roles:
        _add_embed(parts)
    if "popularity" in roles:
        popularity.add(service, settings.kafka, codec, tenants, settings.popularity)
    if {"upsert", "query"}.intersection(roles):
        stores = stores_of(settings.embedder)
        service.on_stop(*[at.store.close for at in stores])
        verifiers = _verifiers(parts, stores)
        if "upsert" in roles:
            _add_upsert(parts, stores)
            service.add(Sweep(verifiers, settings.embedder.verify_interval_s, parts.view.readable))
        if "query" in roles:
            _add_query(parts, stores, verifying.routes(verifiers))
    return service


def _tables(
    service: Service, settings: EmbedderSettings, codec: EventCodec, roles: Sequence[Role]
) -> tuple[Table[TenantConfig], Table[IndexGeneration]]:
    """What holds for tenants and for generations. Those who write know it before the first record is read."""
    tenants = Table(settings.kafka, codec, topics.TENANT_CONFIG, TenantConfig)
    record = Table(settings.kafka, codec, topics.INDEX_GENERATION, IndexGeneration)
    if _READERS.intersection(roles):
        service.on_start(tenants.start)
        service.add(tenants)
    if {"embed", "upsert"}.intersection(roles):
        service.on_start(record.start)
        service.add(record)
    elif "query" in roles:
        service.add(Unhurried(codec.start, record))
    return tenants, record


class _Parts:
    """What the roles of one process share."""

    def __init__(
        self,
        service: Service,
        settings: EmbedderSettings,
        codec: EventCodec,
        tenants: Table[TenantConfig],
        record: Table[IndexGeneration],
    ) -> None:
        self.service, self.settings, self.codec = service, settings, codec
        self.tenants, self.record = tenants, record
        options = settings.embedder
        own = GenerationModel(uri="", window=options.window)
        baseline = Hosted(options.generation, own, options.chunker_generation)
        self.view = View(record.rows.values, baseline, shadow_filling=settings.query.shadow.filling)
        self.metering = Metering(options.metered, options.provider)
        self.models: Models | None = None
        """Those of the query role, where this process has it."""

    def load(self, model: GenerationModel) -> EmbeddingModel:
        """The model of a generation, loaded."""
        options = self.settings.embedder
        loaded = load_model(reference_to(model, options), options, source_of(options))
        loaded.warm_up()
        return loaded

    def encodes(self, fingerprint: str) -> bool:
        """Whether a query role of this process, if there is one, has a model."""
        return self.models is None or self.models.has(fingerprint)

    def purge(self, remove: Callable[[str], Awaitable[int]], what: str) -> None:
        """Have `remove` called for every tenant that is gone."""
        purge = Purge(Tenancy(self.tenants.rows), remove, what)
        self.tenants.tell(purge.changed)
        self.service.add(purge)

    def host(self, make: Callable[[Hosted], Worker], stage: str) -> Hosting:
        """A worker per generation, made by `make`."""
        kafka = self.settings.kafka

        def backoff() -> Backoff:
            return Backoff(kafka.retry_first_s, MOST_S)

        hosting = Hosting(self.view, make, self.settings.embedder.hosted, stage=stage, backoff=backoff)
        self.follow(hosting)
        return hosting

    def follow(self, *workers: Following) -> None:
        """Add workers that are told when the record changes."""
        for worker in workers:
            self.record.tell(worker.changed)
        self.service.add(*workers)

    def loop(
        self,
        group: str,
        topic: str,
        handler: Handler,
        stage: str,
        limits: BatchLimits,
        on_assigned: OnAssigned | None = None,
    ) -> ConsumerLoop:
        """The loop of one stage of one generation."""
        return ConsumerLoop(
            settings=self.settings.kafka,
            group=group,
            topics=[topic],
            lanes=[topics.replay(topic)],
            lane=self.settings.embedder.lane,
            handler=handler,
            stage=stage,
            delivery=Delivery.AT_LEAST_ONCE,
            limits=limits,
            dlq=self.settings.embedder.dlq,
            on_assigned=on_assigned,
        )


def _add_embed(parts: _Parts) -> None:
    options = parts.settings.embedder
    cache = SqliteVectorCache(options.cache)

    def loop(hosted: Hosted, handler: Handler, assigned: OnAssigned | None) -> ConsumerLoop:
        source = topics.doc_chunked(hosted.chunker_generation)
        return parts.loop(embed_group(hosted.number), source, handler, "embed", options.embed_batch, assigned)

    shared = EmbedParts(
        codec=parts.codec,
        cache=cache,
        tenants=Tenancy(parts.tenants.rows),
        turns=Turns(options.lane.min_share),
        load=parts.load,
        loop=loop,
        part_bytes=options.part_bytes,
        batch_tokens=options.batch_tokens,
        ahead=_ahead(parts),
        metering=parts.metering,
    )
    parts.service.on_start(cache.start)
    telling = Telling(cache, parts.codec, Producer(parts.settings.kafka, "roggia-embed-bills"))
    parts.service.on_stop(cache.close, telling.close)
    parts.service.add(telling)
    hosting = parts.host(lambda hosted: EmbedWorker(hosted, parts.view, shared), "embed")
    retirement = CacheRetirement(cache, parts.view, shared.fingerprints, hosting.hosts)
    parts.follow(Keeper(retirement.once, "vector cache"))
    parts.purge(cache.forget, "vector cache")


def _ahead(parts: _Parts) -> Ahead | None:
    """How a generation that fills gets a head start; None where the settings say that it gets none."""
    kafka, share = parts.settings.kafka, parts.settings.embedder.head_start_share
    return Ahead(partial(head_start_lane, kafka, parts.codec), share, kafka.stop_deadline_s) if share else None


def _add_upsert(parts: _Parts, stores: Stores) -> None:
    options, view = parts.settings.embedder, parts.view
    aliases = _add_aliases(parts, stores)

    def made(hosted: Hosted) -> UpsertWorker:
        number, at = hosted.number, stores.of(hosted.store)
        handler = UpsertHandler(
            codec=parts.codec,
            store=at.store,
            catalogue=at.catalogue,
            generation=number,
            tenants=Tenancy(parts.tenants.rows),
            # Of several stores this one cannot say what readers have: the keepers of aliases wait for the model.
            serves=lambda tenant_id, domain: not stores.several and view.serving(tenant_id, domain) == number,
            made=aliases,
        )
        loop = parts.loop(upsert_group(number), topics.doc_embedded(number), handler, "upsert", options.batch)
        return UpsertWorker(loop, handler)

    hosting = parts.host(made, "upsert")
    retirement = Retirement(stores, view, hosting.hosts, options.retire_grace_s)
    parts.follow(Keeper(retirement.once, "retirement"))
    parts.tenants.tell(lambda tenant_id, _: _forget(hosting, tenant_id))
    for at in stores:
        parts.purge(Departures(at.store, at.catalogue).remove, "collections")
        parts.service.add(
            Maintenance(
                at.store,
                clock=now_ms,
                retention_s=options.deletion_retention_s,
                maintain_interval_s=options.maintain_interval_s,
                sweep_interval_s=options.sweep_interval_s,
            )
        )


def _add_aliases(parts: _Parts, stores: Stores) -> Callable[[], None]:
    """A keeper for each store, and one for what is left over between them; how to have them look."""
    leftovers = Keeper(Leftovers(stores, parts.view).once, "leftover aliases", again_s=None)
    keepers = [
        Keeper(
            Aliases(at, stores, parts.view, parts.encodes, leftovers.changed).once,
            f"aliases {stores.name(at)}".rstrip(),
            again_s=None,
        )
        for at in stores
    ]
    parts.follow(*keepers, *([leftovers] if stores.several else []))

    def look() -> None:
        for keeper in keepers:
            keeper.changed()

    return look


def _forget(hosting: Hosting, tenant_id: str) -> None:
    for worker in hosting.workers():
        if isinstance(worker, UpsertWorker):
            worker.forget(tenant_id)


def _verifiers(parts: _Parts, stores: Stores) -> Verifiers:
    options = parts.settings.embedder
    pace = Pace(points_per_s=options.verify_points_per_s, patience_s=options.verify_patience_s)

    def made(hosted: Hosted, runs: Runs) -> Verifier:
        number = hosted.number
        stages = Stages(
            chunked=topics.doc_chunked(hosted.chunker_generation),
            embedded=topics.doc_embedded(number),
            embed_group=embed_group(number),
            upsert_group=upsert_group(number),
        )
        chunks = partial(KafkaSettledLog, parts.settings.kafka, parts.codec, stages)
        return Verifier(stores.of(hosted.store).store, chunks, number, pace, hosted.selection, runs)

    return Verifiers(parts.view, made)


def _add_query(parts: _Parts, stores: Stores, more: Sequence[BaseRoute]) -> None:
    settings, service = parts.settings, parts.service
    options = settings.embedder
    publisher = Publisher(Producer(settings.kafka, "roggia-query"), parts.codec)
    role = QueryRole(stores, (), publisher, settings.query, view=parts.view, shadow=publisher, metering=parts.metering)
    parts.models = role.models
    telling = Telling(role.models.bills, parts.codec, Producer(settings.kafka, "roggia-query-bills"))
    service.add(Unhurried(parts.codec.start, telling))
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
    service.on_stop(publisher.stop, telling.close, role.stop, http.stop)  # in reverse: the last request is told, too
    parts.follow(QueryModels(parts.view, role.models, parts.load, missing=partial(_without_store, stores)))


def _without_store(stores: Stores, hosted: Hosted) -> str:
    """Why a generation cannot be read here; empty when it can."""
    try:
        stores.of(hosted.store)
    except UnknownStoreError as unknown:
        return f"{hosted.label}: {unknown}"
    return ""


def model_of(options: EmbedderOptions) -> EmbeddingModel:
    """The model that the settings name, not loaded yet. Raises `ModelLoadError`."""
    return load_model(reference_of(options), options)


def source_of(options: EmbedderOptions) -> ModelSource | None:
    """The registry that models are fetched from, where the settings name one."""
    if not options.models_uri:
        return None
    from roggia_embedder.adapters.mlflow_source import MlflowModelSource

    return MlflowModelSource(options.models_uri, options.model_folder)


def stores_of(options: EmbedderOptions) -> Stores:
    """The store of the settings and those that they name, each opened once. Raises as `store_of` does."""
    named, opened = {OWN: options.store, **options.stores}, dict[str, OpenStore]()
    for name, where in named.items():
        if where not in opened:
            key = options.store_keys.get(name) if name else options.store_key
            opened[where] = OpenStore(*store_of(options.model_copy(update={"store": where, "store_key": key})))
    return Stores({name: opened[where] for name, where in named.items()})


def store_of(options: EmbedderOptions) -> tuple[VectorStore, IndexCatalogue]:
    """Store and catalogue behind the setting. Raises `StoreLockedError` when another process holds the folder,
    `StoreUnusableError` for an engine that nobody knows or a tuning that the engine does not have."""
    engine, key = options.store_engine, options.store_key.get_secret_value() if options.store_key else None
    if engine == "postgresql":
        from roggia_embedder.adapters.pgvector import PgvectorCatalogue, PgvectorStore

        postgres = PgvectorStore.connect(options.store, key, options.tuning)
        return postgres, PgvectorCatalogue(postgres.database)
    if engine == "qdrant":
        from roggia_embedder.adapters.qdrant import QdrantCatalogue, QdrantStore

        server = QdrantStore.connect(options.store, key, options.tuning)
        return server, QdrantCatalogue(server)
    if engine == "weaviate":
        from roggia_embedder.adapters.weaviate import WeaviateCatalogue, WeaviateStore

        weaviate = WeaviateStore.connect(options.store.removeprefix("weaviate+"), key, options.tuning)
        return weaviate, WeaviateCatalogue(weaviate)
    from roggia_embedder.adapters.edge import EdgeCatalogue, EdgeStore

    folder = Path(options.store)
    return EdgeStore(folder, options.tuning), EdgeCatalogue(folder)
