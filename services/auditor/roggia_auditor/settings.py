"""The auditor's settings: `ROGGIA_AUDITOR_…` beside what every service has."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from roggia_runtime.settings import BatchLimits, DlqLimits, ServiceSettings, load

from roggia_auditor.anchor_settings import AnchorOptions

_LEDGERS = ("sqlite:///", "postgresql://", "postgres://")
_BATCH = BatchLimits(max_records=2_000, max_wait_ms=200)
"""One transaction of the ledger costs a flush of the disk: larger batches than other stages have."""


class AuditorOptions(BaseSettings):
    """What only the auditor has."""

    model_config = SettingsConfigDict(
        env_prefix="ROGGIA_AUDITOR_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

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
    batch: BatchLimits = Field(default=_BATCH, description="when a batch is complete")
    dlq: DlqLimits = Field(default_factory=DlqLimits, description="when dead letters stop the consumer")

    @field_validator("ledger")
    @classmethod
    def _known_ledger(cls, dsn: SecretStr) -> SecretStr:
        if not dsn.get_secret_value().startswith(_LEDGERS):
            raise ValueError("use sqlite:///PATH or postgresql://USER@HOST/DATABASE")
        return dsn

    @field_validator("origin")
    @classmethod
    def _plain_origin(cls, origin: str) -> str:
        if any(letter.isspace() or letter == "+" or not letter.isprintable() for letter in origin):
            raise ValueError("use a URL without its scheme, without spaces and without +")
        return origin.rstrip("/")


class AuditorSettings(ServiceSettings):
    """Everything that `roggia_auditor.app.build` needs."""

    auditor: AuditorOptions = Field(default_factory=lambda: load(AuditorOptions), description="auditor")
