"""Composition of the service: settings in, a `Service` out. The only module that knows every part."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import structlog
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.hosts import hosts_of
from roggia_runtime.http import HttpServer, application
from roggia_runtime.leadership import Leader
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.service import Service
from roggia_runtime.settings import HttpSettings
from roggia_runtime.tables import Table
from roggia_runtime.topic_ids import TopicIds
from roggia_schemas import topics
from roggia_schemas.events import TenantConfig

from roggia_auditor.adapters.postgres_ledger import PostgresLedger
from roggia_auditor.adapters.price_log import KafkaPrices
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.adapters.streams import LedgerStarts
from roggia_auditor.alerting.alerter import Alerter, Rules
from roggia_auditor.api.access_log import AccessLog
from roggia_auditor.api.exporting import Exporting, Progress
from roggia_auditor.api.http import Routes
from roggia_auditor.api.reading import Reading
from roggia_auditor.api.tokens import Tokens
from roggia_auditor.errors import TokensError
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.handlers import AuditHandler
from roggia_auditor.heads.sealing import Sealing, sealed_and_witnessed
from roggia_auditor.parts import (
    SOURCE,
    anchoring_of,
    ledger_of,
    limits_of,
    payloads_of,
    reports_of,
    sealer_of,
    segments_of,
    webhook_of,
    witnessing_of,
    zones_of,
)
from roggia_auditor.payloads.erasing import Eraser
from roggia_auditor.periods import HOUR_MS
from roggia_auditor.ports import Ledger
from roggia_auditor.retention.worker import Policy, Retention
from roggia_auditor.settings import AuditorOptions, AuditorSettings
from roggia_auditor.telling.teller import Teller, Told

NAME, API = "auditor", "audit-api"
_API = "ROGGIA_AUDITOR_API"
log = structlog.get_logger()


def build(settings: AuditorSettings) -> Service:
    """The service, not yet started."""
    options = settings.auditor
    codec = EventCodec(settings.registry, source=SOURCE, register=settings.environment == "development")
    ledger, ids, prices = ledger_of(options), TopicIds(settings.kafka), KafkaPrices(settings.kafka, codec)
    starts = LedgerStarts(ids, ledger)
    tenants = Table(settings.kafka, codec, topics.TENANT_CONFIG, TenantConfig)
    service = Service(NAME, settings)
    service.on_start(codec.start, tenants.start, ledger.start, prices.start)
    service.on_stop(codec.stop, ledger.stop, prices.stop, ids.stop)
    handler = AuditHandler(
        codec=codec,
        ledger=ledger,
        streams=starts,
        prices=prices,
        zones=lambda: zones_of(tenants.rows),
        limits=lambda: limits_of(tenants.rows),
        grace_ms=round(options.grace_hours * HOUR_MS),
    )
    service.add(tenants)
    told = Told(options.origin, lambda: zones_of(tenants.rows), round(options.grace_hours * HOUR_MS))
    service.add(Leader(settings.kafka, f"{options.group}.teller", topics.PRICE_CHANGED, Teller(ledger, codec, told)))
    _retain(service, settings, ledger)
    if options.signing_key is not None:
        anchors = anchoring_of(settings, ledger, codec)
        service.on_stop(anchors.close)
        service.add(Sealing(sealer_of(options, ledger), options.seal_interval_s, anchors))
    _alert(service, settings, ledger, codec)
    service.add(
        ConsumerLoop(
            settings=settings.kafka,
            group=options.group,
            topics=[topics.INFERENCE_COMPLETED],
            handler=handler,
            starts=starts,
            stage=NAME,
            delivery=Delivery.AT_LEAST_ONCE,
            limits=options.batch,
            dlq=options.dlq,
        )
    )
    return service


def build_api(settings: AuditorSettings) -> Service:
    """The API as a service of its own: it reads the ledger, beside whoever writes it."""
    options, api = settings.auditor, settings.api
    codec = EventCodec(settings.registry, source=SOURCE, register=settings.environment == "development")
    ledger, tokens = ledger_of(options), Tokens(api.tokens)
    if wrong := tokens.problem():
        raise TokensError(wrong[0])
    if not api.tokens.exists():
        log.warning("nobody_may_ask", tokens=str(api.tokens), remedy="roggia audit token")
    service = Service(API, settings)
    service.on_start(codec.start, ledger.start)
    service.on_stop(codec.stop, ledger.stop)
    service.check(tokens.problem)
    exporting = None
    if options.signing_key is not None:
        exporting = Exporting(api.exports, partial(_export, ledger, options), api.keep_hours * 3600)
        service.on_start(exporting.start)
        service.add(exporting)
    reports = reports_of(ledger)
    reading = Reading(ledger, reports, codec, options.origin)
    routes = Routes(tokens, AccessLog(ledger, reports.knows), reading, exporting).routes()
    app = application(service.health, routes, hosts=hosts_of(api.host, api.hosts), hosts_setting=f"{_API}_HOSTS")
    server = HttpServer(HttpSettings(host=api.host, port=api.port), app)

    async def listen() -> None:
        try:
            await server.start()
        except ConfigurationError as error:
            raise ConfigurationError(str(error).replace("ROGGIA_HTTP_PORT", f"{_API}_PORT")) from None
        log.info("audit_api", address=f"http://{api.host}:{server.port}")

    service.on_start(listen)
    service.on_stop(server.stop)
    return service


async def _export(ledger: Ledger, options: AuditorOptions, tenant: str, folder: Path, progress: Progress) -> None:
    anchors = witnessing_of(options, ledger)
    try:
        sealed = await sealed_and_witnessed(sealer_of(options, ledger), anchors)
    finally:
        await anchors.close()
    streams = {stream.origin(options.origin): stream for stream in await ledger.streams()}
    await TenantExport(ledger, sealed, streams, progress).write(tenant, folder)


def _alert(service: Service, settings: AuditorSettings, ledger: Ledger, codec: EventCodec) -> None:
    """Add the worker that sends alerts."""
    options = settings.auditor
    hook = webhook_of(options.webhook)
    if hook is not None:
        service.on_start(hook.start)
        service.on_stop(hook.stop)
    alerter = Alerter(ledger, codec, hook, Rules(give_up_h=options.webhook.give_up_h))
    service.add(Leader(settings.kafka, f"{options.group}.alerter", topics.PRICE_CHANGED, alerter))


def _retain(service: Service, settings: AuditorSettings, ledger: SqliteLedger | PostgresLedger) -> None:
    """Add the worker of retention, where there is anything for it to do."""
    options, vault = settings.auditor, payloads_of(settings.auditor)
    if options.segments is None and vault is None:
        return
    policy = Policy(
        options.origin,
        options.seal_after_days,
        options.drop_after_days,
        options.retention_interval_s,
        round(options.grace_hours * HOUR_MS),
    )
    finish = None
    if vault is not None:
        service.on_start(vault.start)
        service.on_stop(vault.stop)
        finish = Eraser(ledger, vault, "roggia auditor").finish
    work = Retention(ledger, segments_of(options), policy, finish)
    service.add(Leader(settings.kafka, f"{options.group}.retention", topics.PRICE_CHANGED, work))
