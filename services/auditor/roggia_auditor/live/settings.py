"""Settings of the live views: `ROGGIA_LIVE_…` beside what every service has."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from roggia_runtime.settings import ServiceSettings, load


class LiveOptions(BaseSettings):
    """What only the live views have."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_LIVE_", frozen=True, extra="forbid")

    most_series: int = Field(
        2_000,
        ge=1,
        le=1_000_000,
        description="keys (tenant, model, prompt variant) held in memory, some 100 KB for a busy one; further ones are "
        "counted together",
    )
    token: SecretStr | None = Field(
        None,
        min_length=16,
        description="what a client of /v1/live sends as Authorization: Bearer; without one it answers on a loopback "
        "address alone",
    )


class LiveSettings(ServiceSettings):
    """Everything that `roggia_auditor.live.app.build` needs."""

    live: LiveOptions = Field(default_factory=lambda: load(LiveOptions), description="live views")
