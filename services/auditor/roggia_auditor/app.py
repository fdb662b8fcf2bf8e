"""Composition of the service: settings in, a `Service` out. The only module that knows every part."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from zoneinfo import available_timezones as _available

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

from roggia_auditor.adapters.postgres_ledger import PostgresLedger, PostgresReports
from roggia_auditor.adapters.postgres_payloads import PostgresCiphertexts, PostgresKeys
from roggia_auditor.adapters.price_log import KafkaPrices
from roggia_auditor.adapters.segment_files import FolderSegments
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger, SqliteReports
from roggia_auditor.adapters.sqlite_payloads import SqliteCiphertexts, SqliteKeys
from roggia_auditor.adapters.streams import LedgerStarts
from roggia_auditor.api.access_log import AccessLog
from roggia_auditor.api.exporting import Exporting, Progress
from roggia_auditor.api.http import Routes
from roggia_auditor.api.reading import Reading
from roggia_auditor.api.tokens import Tokens
from roggia_auditor.errors import KeyFileError, LedgerError
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.handlers import AuditHandler
from roggia_auditor.heads.sealing import Sealer, Sealing
from roggia_auditor.ledger.model import Limits
from roggia_auditor.payloads.envelope import MasterKey
from roggia_auditor.payloads.erasing import Eraser
from roggia_auditor.payloads.vault import Vault
from roggia_auditor.periods import HOUR_MS
from roggia_auditor.ports import Ledger
from roggia_auditor.reports import Reports
from roggia_auditor.retention.worker import Policy, Retention
from roggia_auditor.settings import AuditorOptions, AuditorSettings
from roggia_auditor.telling.teller import Teller, Told
from roggia_auditor.tlog.keys import SignerKey

NAME, API = "auditor", "audit-api"
available_timezones = cache(_available)
_SQLITE = "sqlite:///"
_API = "ROGGIA_AUDITOR_API"
log = structlog.get_logger()
SOURCE = "/roggia/auditor"
"""CloudEvents source of what the auditor publishes."""
PICO_PER_MICRO = 10**6


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
    sealing = sealing_of(options, ledger)
    if sealing is not None:
        service.add(sealing)
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
    tokens.load()
    service = Service(API, settings)
    service.on_start(codec.start, ledger.start)
    service.on_stop(codec.stop, ledger.stop)
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
    sealed = await Sealer(ledger, options.origin, signer_of(options)).seal()
    streams = {stream.origin(options.origin): stream for stream in await ledger.streams()}
    await TenantExport(ledger, sealed, streams, progress).write(tenant, folder)


def reports_of(ledger: Ledger) -> Reports:
    """What is asked of a ledger for people."""
    if isinstance(ledger, SqliteLedger):
        return SqliteReports(ledger)
    if isinstance(ledger, PostgresLedger):
        return PostgresReports(ledger)
    raise LedgerError(f"{type(ledger).__name__} has no reports")


def sealing_of(options: AuditorOptions, ledger: Ledger) -> Sealing | None:
    """The worker that signs checkpoints; None without a key. Raises `KeyFileError` for one that cannot be read."""
    if options.signing_key is None:
        return None
    return Sealing(Sealer(ledger, options.origin, signer_of(options)), options.seal_interval_s, {})


def signer_of(options: AuditorOptions) -> SignerKey:
    """The key in the file that the settings name. Raises `KeyFileError`."""
    path = options.signing_key
    try:
        text = "" if path is None else path.read_text()
    except OSError as error:
        raise KeyFileError(f"ROGGIA_AUDITOR_SIGNING_KEY: {path} cannot be read ({error.strerror})") from error
    key = SignerKey.parse(text)
    if key.name != f"{options.origin}/head":
        raise KeyFileError(
            f"ROGGIA_AUDITOR_SIGNING_KEY: {path} is of {key.name}, the head log is {options.origin}/head; name the "
            "origin that the key was made for, or make another key (roggia audit key)"
        )
    return key


def ledger_of(options: AuditorOptions) -> SqliteLedger | PostgresLedger:
    """The ledger behind the DSN; it reads the segments too, where their folder is set."""
    dsn, files = options.ledger.get_secret_value(), segments_of(options)
    if not dsn.startswith(_SQLITE):
        return PostgresLedger(dsn, segments=files)
    return SqliteLedger(Path(dsn.removeprefix(_SQLITE)), segments=files)


def segments_of(options: AuditorOptions) -> FolderSegments | None:
    """The folder of segments; None where none is set."""
    return None if options.segments is None else FolderSegments(options.segments)


def payloads_of(options: AuditorOptions) -> Vault | None:
    """Payloads and their keys; None where none are kept. Raises `KeyFileError` for a master key that is none."""
    if options.payloads is None or options.payload_keys is None or options.payload_master_key is None:
        return None
    payloads, keys = options.payloads.get_secret_value(), options.payload_keys.get_secret_value()
    return Vault(
        master=MasterKey.read(options.payload_master_key),
        keys=PostgresKeys(keys) if not keys.startswith(_SQLITE) else SqliteKeys(Path(keys.removeprefix(_SQLITE))),
        ciphertexts=(
            PostgresCiphertexts(payloads)
            if not payloads.startswith(_SQLITE)
            else SqliteCiphertexts(Path(payloads.removeprefix(_SQLITE)))
        ),
    )


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


def limits_of(rows: Mapping[str, TenantConfig]) -> Mapping[str, Limits]:
    """Monthly limits of the tenants that have any: `tokens_per_month` and `micro_usd_per_month`."""
    return {tenant: _limits(row.limits) for tenant, row in rows.items() if _limits(row.limits) != Limits()}


def _limits(given: Mapping[str, int]) -> Limits:
    micro = given.get("micro_usd_per_month")
    return Limits(given.get("tokens_per_month"), None if micro is None else micro * PICO_PER_MICRO)


def zones_of(rows: Mapping[str, TenantConfig]) -> Mapping[str, str]:
    """Time zones of the tenants that have a configuration; one that this machine does not know is left out: UTC."""
    known = available_timezones()
    return {tenant: row.time_zone for tenant, row in rows.items() if row.time_zone in known}
