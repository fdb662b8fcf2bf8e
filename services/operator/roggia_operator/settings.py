"""The operator's settings: `ROGGIA_OPERATOR_…`, beside what every service has."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from roggia_runtime.settings import ServiceSettings, load


class OperatorOptions(BaseSettings):
    """What the operator's rooms have."""

    model_config = SettingsConfigDict(
        env_prefix="ROGGIA_OPERATOR_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    objective_s: float = Field(
        30.0, gt=0, description="live freshness objective, seconds: a backfill slows and pauses when it is passed"
    )
    lag_every_s: float = Field(3.0, gt=0, le=60, description="seconds between two observations of lag")
    lag_window_s: float = Field(
        120.0, ge=20, le=3600, description="seconds of observations by which groups are judged; longer than any batch"
    )


class OperatorSettings(ServiceSettings):
    """Everything that `roggia_operator.app.build` needs."""

    operator: OperatorOptions = Field(default_factory=lambda: load(OperatorOptions), description="the operator")
