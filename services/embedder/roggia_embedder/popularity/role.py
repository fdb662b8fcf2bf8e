"""The popularity role as parts of a service. Built by the embedder's app."""

from __future__ import annotations

from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.faust_worker import FaustWorker, Hooks
from roggia_runtime.producer import Producer
from roggia_runtime.service import Service
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.tables import Table
from roggia_runtime.tenancy import Purge, Tenancy
from roggia_schemas.events import DocPopularity, TenantConfig
from roggia_schemas.topics import DOC_POPULARITY

from roggia_embedder.popularity import metrics
from roggia_embedder.popularity.counts import Counts
from roggia_embedder.popularity.faust_app import GROUP, READING
from roggia_embedder.popularity.intake import Intake
from roggia_embedder.popularity.settings import PopularitySettings
from roggia_embedder.popularity.telling import Telling


def add(
    service: Service,
    kafka: KafkaSettings,
    codec: EventCodec,
    tenants: Table[TenantConfig],
    settings: PopularitySettings,
) -> None:
    """Count what is served and publish it. What was published before is read first: counting goes on from there."""
    rows = Table(kafka, codec, DOC_POPULARITY, DocPopularity)
    producer = Producer(kafka, GROUP)
    counts = Counts(settings.rules, rows.get)
    tenancy = Tenancy(tenants.rows)
    intake = Intake(counts, codec, tenancy, now_ms)
    telling = Telling(counts, settings.rules, rows.rows, codec, producer, now_ms, settings.tell_every_s)
    purge = Purge(tenancy, telling.remove, "popularity")
    tenants.tell(purge.changed)
    service.on_start(rows.start, producer.start)
    service.on_stop(producer.stop)
    hooks = Hooks(intake.take, intake.assigned, leaving=telling.flush, restarted=metrics.RESTARTS.inc)
    service.add(rows, FaustWorker(kafka, READING, hooks), telling, purge)
    service.check(lambda: [f"popularity: {intake.trouble}"] if intake.trouble else [])
