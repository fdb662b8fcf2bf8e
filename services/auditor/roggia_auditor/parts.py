"""Parts that the settings name: ledger, segments, payloads, keys, anchors. For the composition and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from zoneinfo import available_timezones as _available

from roggia_runtime.codec import EventCodec
from roggia_schemas import topics
from roggia_schemas.events import TenantConfig

from roggia_auditor.adapters.anchors.folder import FolderAnchor
from roggia_auditor.adapters.anchors.kafka import KafkaAnchor
from roggia_auditor.adapters.anchors.objects import ObjectAnchor, Place
from roggia_auditor.adapters.anchors.sigv4 import Credentials
from roggia_auditor.adapters.anchors.witness import WitnessAnchor
from roggia_auditor.adapters.postgres_ledger import PostgresLedger, PostgresReports
from roggia_auditor.adapters.postgres_payloads import PostgresCiphertexts, PostgresKeys
from roggia_auditor.adapters.segment_files import FolderSegments
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger, SqliteReports
from roggia_auditor.adapters.sqlite_payloads import SqliteCiphertexts, SqliteKeys
from roggia_auditor.adapters.webhook import Webhook
from roggia_auditor.alerting.signing import secrets_of
from roggia_auditor.anchor_settings import AnchorOptions
from roggia_auditor.errors import KeyFileError, LedgerError
from roggia_auditor.heads.anchoring import Anchor, Anchoring
from roggia_auditor.heads.continuing import consistency
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.model import Limits
from roggia_auditor.payloads.envelope import MasterKey
from roggia_auditor.payloads.vault import Vault
from roggia_auditor.ports import Ledger
from roggia_auditor.reports import Reports
from roggia_auditor.settings import AuditorOptions, AuditorSettings, WebhookOptions
from roggia_auditor.tlog.keys import SignerKey

available_timezones = cache(_available)
_SQLITE = "sqlite:///"
PICO_PER_MICRO = 10**6
SOURCE = "/roggia/auditor"
"""CloudEvents source of what the auditor publishes."""


def reports_of(ledger: Ledger) -> Reports:
    """What is asked of a ledger for people."""
    if isinstance(ledger, SqliteLedger):
        return SqliteReports(ledger)
    if isinstance(ledger, PostgresLedger):
        return PostgresReports(ledger)
    raise LedgerError(f"{type(ledger).__name__} has no reports")


def sealer_of(options: AuditorOptions, ledger: Ledger) -> Sealer:
    """What signs checkpoints, with the keys that the settings name. Raises `KeyFileError` for one that is missing."""
    key = signer_of(options)
    if options.retiring_key is None:
        return Sealer(ledger, options.origin, key)
    return Sealer(ledger, options.origin, key, _signer(options, options.retiring_key, "RETIRING_KEY"))


def webhook_of(options: WebhookOptions) -> Webhook | None:
    """Where alerts are posted; None where nobody is named."""
    if options.url is None or options.secret is None:
        return None
    return Webhook(options.url.get_secret_value(), secrets_of(options.secret.get_secret_value()), options.timeout_s)


def signer_of(options: AuditorOptions) -> SignerKey:
    """The key in the file that the settings name. Raises `KeyFileError`."""
    return _signer(options, options.signing_key, "SIGNING_KEY")


def _signer(options: AuditorOptions, path: Path | None, name: str) -> SignerKey:
    try:
        text = "" if path is None else path.read_text()
    except OSError as error:
        raise KeyFileError(f"ROGGIA_AUDITOR_{name}: {path} cannot be read ({error.strerror})") from error
    key = SignerKey.parse(text)
    if key.name != f"{options.origin}/head":
        raise KeyFileError(
            f"ROGGIA_AUDITOR_{name}: {path} is of {key.name}, the head log is {options.origin}/head; name the "
            "origin that the key was made for, or make another key (roggia audit key)"
        )
    return key


def anchoring_of(settings: AuditorSettings, ledger: Ledger, codec: EventCodec) -> Anchoring:
    """Every anchor that the settings name."""
    options, stores = settings.auditor.anchor, dict[str, Anchor]()
    if options.topic:
        stores[topics.AUDIT_CHECKPOINT] = KafkaAnchor(settings.kafka, codec)
    if options.folder is not None:
        stores["folder"] = FolderAnchor(options.folder)
    if options.url is not None:
        stores["objects"] = ObjectAnchor(_place(options, options.url))
    return witnessing_of(settings.auditor, ledger, stores)


def witnessing_of(options: AuditorOptions, ledger: Ledger, stores: Mapping[str, Anchor] | None = None) -> Anchoring:
    """The witnesses, and these stores: without any, what exports and proofs are signed by."""
    prove = partial(consistency, ledger)
    witnesses = {key.name: WitnessAnchor(url, key, prove) for key, url in options.anchor.witness_list()}
    return Anchoring(ledger, f"{options.origin}/head", witnesses, stores, options.anchor.timeout_s)


def _place(options: AnchorOptions, url: str) -> Place:
    secret, token = options.secret_key, options.authorization
    credentials = None
    if options.access_key is not None and secret is not None:
        credentials = Credentials(options.access_key, secret.get_secret_value(), options.region)
    return Place(url, options.retain_days, credentials, "" if token is None else token.get_secret_value())


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
