"""Settings of everything that the services share, read from `ROGGIA_…` variables and checked at the start.

A service's own settings derive from `ServiceSettings`. Load them with `load`, which turns what pydantic finds into
one line that names the variable, the value's fault and the remedy.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from roggia_runtime.errors import ConfigurationError

MIB = 1 << 20
Port = Annotated[int, Field(ge=0, le=65535)]


class BatchLimits(BaseModel):
    """When a micro-batch is complete: at the first of three limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_records: int = Field(default=200, ge=1, le=100_000, description="records in one batch")
    max_bytes: int = Field(
        default=8 * MIB, ge=1, description="bytes of keys and values in one batch; one record may exceed it"
    )
    max_wait_ms: int = Field(
        default=50, ge=0, le=60_000, description="milliseconds to wait for more after the first record"
    )


class DlqLimits(BaseModel):
    """How much may go to a dead-letter topic before the consumer stops instead of draining its topic into it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_records: int = Field(default=1_000, ge=0, description="dead letters allowed within one window")
    max_share: float = Field(
        default=0.5, gt=0, le=1, description="share of a window's records that may be dead letters"
    )
    min_records: int = Field(default=50, ge=1, description="records that a window must hold before the share is judged")
    window_s: float = Field(default=60.0, gt=0, description="length of the sliding window, seconds")


class LaneSettings(BaseModel):
    """How much of a stage's work its replay lane may have. Live topics come first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_share: float = Field(
        default=0.05,
        ge=0,
        le=0.5,
        description="least share of working time for the lane while live traffic never rests",
    )
    idle_ms: int = Field(
        default=20, ge=0, le=60_000, description="milliseconds of rest on the live topic before the lane is looked at"
    )
    batch_share: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="size of a lane batch as a share of a live one: live waits for one of them",
    )
    pause_s: float = Field(
        default=300.0, gt=0, description="seconds that a lane rests after its dead-letter limit or a refused output"
    )


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ROGGIA_", env_nested_delimiter="__", frozen=True, extra="forbid")


class Options(BaseSettings):
    """Base of what only one service has: the service sets `env_prefix`. A variable of a nested field changes that value
    alone; the others keep the field's default, which may be another than its class's."""

    model_config = SettingsConfigDict(
        env_nested_delimiter="__", nested_model_default_partial_update=True, frozen=True, extra="forbid"
    )


class KafkaSettings(_Settings):
    """How to reach Kafka, and the few client settings that a deployment may need to change."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_KAFKA_")

    bootstrap: str = Field(default="127.0.0.1:19092", min_length=3, description="host:port[,host:port…] of the brokers")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how to connect to the brokers"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="SASL mechanism, used with SASL_PLAINTEXT and SASL_SSL"
    )
    sasl_username: str | None = Field(default=None, description="SASL user name")
    sasl_password: SecretStr | None = Field(default=None, description="SASL password")
    ssl_ca_file: str | None = Field(
        default=None, description="PEM file with trusted certificates; the system's when unset"
    )
    ssl_cert_file: str | None = Field(default=None, description="PEM file with the client's certificate (mutual TLS)")
    ssl_key_file: str | None = Field(default=None, description="PEM file with the client's key (mutual TLS)")
    ssl_key_password: SecretStr | None = Field(default=None, description="password of the client's key")
    compression: Literal["zstd", "lz4", "gzip", "none"] = Field(
        default="zstd", description="compression of produced batches"
    )
    max_request_bytes: int = Field(
        default=64 * MIB, ge=MIB, description="largest record to produce, bytes, uncompressed"
    )
    max_fetch_bytes: int = Field(default=16 * MIB, ge=MIB, description="bytes fetched ahead, over all partitions")
    fetch_max_wait_ms: int = Field(
        default=100,
        ge=10,
        le=10_000,
        description="ms that a broker holds an empty fetch; records of a partition that it does not name wait so long",
    )
    session_timeout_ms: int = Field(
        default=20_000, ge=1_000, description="ms without heartbeat until a member counts as dead"
    )
    heartbeat_interval_ms: int = Field(default=3_000, ge=100, description="milliseconds between heartbeats")
    max_poll_interval_ms: int = Field(
        default=300_000, ge=1_000, description="ms that a rebalance waits for a batch in hand"
    )
    request_timeout_ms: int = Field(
        default=40_000, ge=1_000, description="milliseconds until a request counts as failed"
    )
    transaction_timeout_ms: int = Field(
        default=60_000, ge=1_000, description="ms until the broker aborts an open transaction"
    )
    stop_deadline_s: float = Field(default=20.0, gt=0, description="seconds that a graceful stop may take")
    retry_first_s: float = Field(default=0.2, gt=0, description="first wait when something is unavailable, seconds")
    retry_max_s: float = Field(default=15.0, gt=0, description="longest wait between two tries, seconds")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"security_protocol {self.security_protocol} needs sasl_username and sasl_password")
        if self.heartbeat_interval_ms * 3 > self.session_timeout_ms:
            raise ValueError("heartbeat_interval_ms must be at most a third of session_timeout_ms")
        return self


class RegistrySettings(_Settings):
    """Where the schema registry is. Without one, the schemas that the package brings are used."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_REGISTRY_")

    url: str | None = Field(
        default=None, pattern=r"^https?://", description="URL of a Confluent-compatible schema registry"
    )
    username: str | None = Field(default=None, description="user name for basic authentication")
    password: SecretStr | None = Field(default=None, description="password for basic authentication")
    ssl_ca_file: str | None = Field(
        default=None, description="PEM file with trusted certificates for https; the system's when unset"
    )
    timeout_s: float = Field(default=10.0, gt=0, description="seconds until a request counts as failed")


class HttpSettings(_Settings):
    """Where a service answers health checks, metrics, and its own routes."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_HTTP_")

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: Port = Field(default=0, description="TCP port; 0 takes a free one, which is logged")
    hosts: str = Field(
        default="",
        description="further names by which clients reach it, comma-separated; others are refused (421), except on "
        "/health. Unset with host 0.0.0.0 or ::, every name is taken",
    )
    max_connections: int = Field(
        default=512, ge=1, le=65_536, description="connections at a time; further ones are closed at once"
    )


class TelemetrySettings(_Settings):
    """Logs and traces."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_TELEMETRY_")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe level logged"
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, else JSON"
    )
    otlp_endpoint: str | None = Field(
        default=None, pattern=r"^https?://", description="OTLP/HTTP endpoint for traces (…/v1/traces); off when unset"
    )
    otlp_metrics_endpoint: str | None = Field(
        default=None, pattern=r"^https?://", description="OTLP/HTTP endpoint for metrics (…/v1/metrics); off when unset"
    )
    otlp_metrics_interval_s: float = Field(default=30.0, ge=1, description="seconds between two exports of metrics")
    sample_ratio: float = Field(default=1.0, ge=0, le=1, description="share of traces that start here and are kept")


class ServiceSettings(_Settings):
    """What every service has. A service adds its own fields in a subclass."""

    environment: Literal["development", "production"] = Field(
        default="production", description="development allows what production forbids (registering schemas at start)"
    )
    kafka: KafkaSettings = Field(default_factory=KafkaSettings, description="Kafka")
    registry: RegistrySettings = Field(default_factory=RegistrySettings, description="schema registry")
    http: HttpSettings = Field(default_factory=HttpSettings, description="health, metrics, routes")
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings, description="logs and traces")


S = TypeVar("S", bound=BaseSettings)


def load(cls: type[S], **values: Any) -> S:
    """Read `cls` from the environment; `values` win. Raises `ConfigurationError` with one clear line."""
    try:
        return cls(**values)
    except ValidationError as error:
        raise ConfigurationError(_one_line(cls, error)) from None


def _one_line(cls: type[BaseSettings], error: ValidationError) -> str:
    owner = next((s for s in _classes(cls) if s.__name__ == error.title), cls)
    first = error.errors(include_url=False, include_input=False)[0]
    prefix = owner.model_config.get("env_prefix", "")
    path = "__".join(str(part) for part in first["loc"]).upper()
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{prefix}{path or '*'}: {first['msg'].removeprefix('Value error, ')}{more}"


def _classes(cls: type[BaseSettings]) -> list[type[BaseSettings]]:
    found = [cls]
    for field in cls.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings):
            found += _classes(field.annotation)
    return found
