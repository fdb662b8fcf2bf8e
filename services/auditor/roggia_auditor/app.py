"""Composition of the service: settings in, a `Service` out. The only module that knows every part."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from zoneinfo import available_timezones as _available

from roggia_runtime.codec import EventCodec
from roggia_runtime.leadership import Leader
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.service import Service
from roggia_runtime.tables import Table
from roggia_runtime.topic_ids import TopicIds
from roggia_schemas import topics
from roggia_schemas.events import TenantConfig

from roggia_auditor.adapters.postgres_ledger import PostgresLedger
from roggia_auditor.adapters.price_log import KafkaPrices
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.adapters.streams import LedgerStarts
from roggia_auditor.adapters.webhook import Webhook
from roggia_auditor.alerting.alerter import Alerter, Rules
from roggia_auditor.alerting.signing import secrets_of
from roggia_auditor.errors import KeyFileError
from roggia_auditor.handlers import AuditHandler
from roggia_auditor.heads.sealing import Sealer, Sealing
from roggia_auditor.ledger.model import Limits
from roggia_auditor.periods import HOUR_MS
from roggia_auditor.ports import Ledger
from roggia_auditor.settings import AuditorOptions, AuditorSettings, WebhookOptions
from roggia_auditor.telling.teller import Teller, Told
from roggia_auditor.tlog.keys import SignerKey

NAME = "auditor"
available_timezones = cache(_available)
_SQLITE = "sqlite:///"
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
    hook = webhook_of(options.webhook)
    if hook is not None:
        service.on_start(hook.start)
        service.on_stop(hook.stop)
    alerter = Alerter(ledger, codec, hook, Rules(give_up_h=options.webhook.give_up_h))
    service.add(Leader(settings.kafka, f"{options.group}.alerter", topics.PRICE_CHANGED, alerter))
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


def sealing_of(options: AuditorOptions, ledger: Ledger) -> Sealing | None:
    """The worker that signs checkpoints; None without a key. Raises `KeyFileError` for one that cannot be read."""
    if options.signing_key is None:
        return None
    return Sealing(Sealer(ledger, options.origin, signer_of(options)), options.seal_interval_s, {})


def webhook_of(options: WebhookOptions) -> Webhook | None:
    """Where alerts are posted; None where nobody is named."""
    if options.url is None or options.secret is None:
        return None
    return Webhook(options.url.get_secret_value(), secrets_of(options.secret.get_secret_value()), options.timeout_s)


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


def ledger_of(options: AuditorOptions) -> Ledger:
    """The ledger behind the DSN."""
    dsn = options.ledger.get_secret_value()
    if not dsn.startswith(_SQLITE):
        return PostgresLedger(dsn)
    return SqliteLedger(Path(dsn.removeprefix(_SQLITE)))


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
