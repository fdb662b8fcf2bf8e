"""The auditor's settings: `ROGGIA_AUDITOR_…` beside what every service has."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict
from roggia_runtime.settings import BatchLimits, DlqLimits, Options, ServiceSettings, load

from roggia_auditor.alerting import signing
from roggia_auditor.anchor_settings import AnchorOptions
from roggia_auditor.api.settings import ApiOptions

_LEDGERS = ("sqlite:///", "postgresql://", "postgres://")
DROP_LEAST_DAYS = 180
"""What no setting can undercut: laws ask for six months. A typo must not cost the records of this year."""
_BATCH = BatchLimits(max_records=2_000, max_wait_ms=200)
"""One transaction of the ledger costs a flush of the disk: larger batches than other stages have."""


class WebhookOptions(BaseModel):
    """Where alerts are sent beside their topic, as Standard Webhooks says."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr | None = Field(
        default=None,
        description="address that alerts are posted to: https, or http on this machine; unset: none are sent",
    )
    secret: SecretStr | None = Field(
        default=None,
        description="whsec_ and 24 to 64 bytes in base64, which sign deliveries; several, separated by spaces, while "
        "one is being replaced",
    )
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="seconds that the receiver has for its answer")
    give_up_h: float = Field(
        default=72.0,
        gt=0,
        le=24 * 35,
        description="hours after an alert until its delivery is given up; it stays on the topic",
    )

    @field_validator("url")
    @classmethod
    def _safe_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and (wrong := _wrong_url(url.get_secret_value())):
            raise ValueError(wrong)
        return url

    @field_validator("secret")
    @classmethod
    def _whole_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            signing.secrets_of(secret.get_secret_value())
        return secret

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.url is None) != (self.secret is None):
            raise ValueError("url and secret go together: deliveries are always signed; set both, or neither")
        return self


def _wrong_url(url: str) -> str:
    """What is wrong with a webhook's address; empty for one that may be posted to."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "it cannot be read as a URL"
    if not host or parts.username or parts.password or parts.fragment:
        return "write https://HOST/PATH, without user, password or fragment"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return ""
    return "use https: only this machine itself may be posted to by http"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class AuditorOptions(Options):
    """What only the auditor has."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_AUDITOR_")

    ledger: SecretStr = Field(
        SecretStr("sqlite:///roggia-data/ledger.sqlite3"),
        description="where records, sums and trees are kept: sqlite:///PATH, or postgresql://… for several instances",
    )
    group: str = Field("roggia.auditor", min_length=1, description="consumer group on inference.completed")
    origin: str = Field(
        "roggia.invalid/audit",
        min_length=1,
        description="what the names of this installation's logs begin with, such as audit.example.com; never changed",
    )
    signing_key: Path | None = Field(
        None, description="file with the Ed25519 key that signs checkpoints (roggia audit key); unset: none are signed"
    )
    retiring_key: Path | None = Field(
        None,
        description="file with the key that signed before: it signs beside the new one until verifiers have that",
    )
    seal_interval_s: float = Field(
        10.0, gt=0, le=3600, description="seconds between two looks for something new to sign a checkpoint over"
    )
    anchor: AnchorOptions = Field(default_factory=AnchorOptions, description="where checkpoints are anchored")
    grace_hours: float = Field(
        12.0,
        ge=0,
        le=24 * 27,
        description="hours after a month's end in the tenant's zone in which it takes late events",
    )
    segments: Path | None = Field(
        None, description="folder of sealed segments, shared by all instances; unset: nothing is sealed away or dropped"
    )
    seal_after_days: int | None = Field(
        None,
        ge=0,
        description="days after which a closed month leaves the ledger's tables for a segment; unset: by hand only",
    )
    drop_after_days: int | None = Field(
        None,
        ge=DROP_LEAST_DAYS,
        description="days after which entries and values of a sealed segment are dropped for ever; unset: by hand only",
    )
    retention_interval_s: float = Field(
        3600.0, gt=0, le=86_400, description="seconds between two looks for what is to be sealed or dropped"
    )
    payloads: SecretStr | None = Field(
        None, description="where encrypted prompts and answers are kept: sqlite:///PATH or postgresql://…; unset: none"
    )
    payload_keys: SecretStr | None = Field(
        None, description="where their keys are kept, one per subject; never the same place as payloads"
    )
    payload_master_key: Path | None = Field(
        None, description="file with 32 random bytes in base64 that encrypt the keys of subjects"
    )
    webhook: WebhookOptions = Field(default_factory=WebhookOptions, description="where alerts are sent")
    batch: BatchLimits = Field(default=_BATCH, description="when a batch is complete")
    dlq: DlqLimits = Field(default_factory=DlqLimits, description="when dead letters stop the consumer")

    @field_validator("ledger", "payloads", "payload_keys")
    @classmethod
    def _known_ledger(cls, dsn: SecretStr | None) -> SecretStr | None:
        if dsn is not None and not dsn.get_secret_value().startswith(_LEDGERS):
            raise ValueError("use sqlite:///PATH or postgresql://USER@HOST/DATABASE")
        return dsn

    @field_validator("origin")
    @classmethod
    def _plain_origin(cls, origin: str) -> str:
        if any(letter.isspace() or letter == "+" or not letter.isprintable() for letter in origin):
            raise ValueError("use a URL without its scheme, without spaces and without +")
        return origin.rstrip("/")

    @model_validator(mode="after")
    def _retention_is_whole(self) -> AuditorOptions:
        if self.segments is None and (self.seal_after_days is not None or self.drop_after_days is not None):
            raise ValueError("seal_after_days, drop_after_days: name the folder of segments too (segments)")
        if self.drop_after_days is not None and self.drop_after_days < (self.seal_after_days or 0):
            raise ValueError(
                f"drop_after_days: {self.drop_after_days} is less than seal_after_days, {self.seal_after_days}"
            )
        return self

    @model_validator(mode="after")
    def _payloads_are_whole(self) -> AuditorOptions:
        given = (self.payloads, self.payload_keys, self.payload_master_key)
        if any(one is not None for one in given) and None in given:
            raise ValueError("payloads, payload_keys, payload_master_key: set all three, or none of them")
        if self.payloads is not None and self.payloads == self.payload_keys:
            raise ValueError(
                "payload_keys: the same place as payloads; a backup of one must not hold the other: use two databases"
            )
        return self


class AuditorSettings(ServiceSettings):
    """Everything that `roggia_auditor.app.build` needs."""

    auditor: AuditorOptions = Field(default_factory=lambda: load(AuditorOptions), description="auditor")
    api: ApiOptions = Field(default_factory=lambda: load(ApiOptions), description="its API")
