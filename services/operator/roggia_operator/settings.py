"""The operator's settings: `ROGGIA_OPERATOR_…`, beside what every service has."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict
from roggia_runtime.settings import Options, ServiceSettings, load

from roggia_operator.console.settings import ConsoleOptions
from roggia_operator.generations.settings import GenerationOptions
from roggia_operator.models.settings import ModelsOptions


class OperatorOptions(Options):
    """What the operator's rooms have."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_OPERATOR_")

    objective_s: float = Field(
        30.0, gt=0, description="live freshness objective, seconds: a backfill slows and pauses when it is passed"
    )
    replay_window: int = Field(
        500, ge=1, description="records of a replay that may wait in its lane and after it before the job waits"
    )
    replay_live_window: int = Field(
        25,
        ge=1,
        description="the same for doc.changed, whose records ingest answers on a live topic: live waits behind them",
    )
    replay_least: float = Field(
        1.0, gt=0, description="records per second that a replay keeps when live is late: it ends some day"
    )
    replay_quota_bytes: float = Field(
        20 * (1 << 20), gt=0, description="bytes per second that brokers with client quotas take from one replay job"
    )
    replay_look_s: float = Field(0.25, gt=0, le=60, description="seconds between two looks at lag while a replay runs")
    lag_every_s: float = Field(3.0, gt=0, le=60, description="seconds between two observations of lag")
    lag_window_s: float = Field(
        120.0, ge=20, le=3600, description="seconds of observations by which groups are judged; longer than any batch"
    )


class OperatorSettings(ServiceSettings):
    """Everything that `roggia_operator.app.build` needs."""

    operator: OperatorOptions = Field(default_factory=lambda: load(OperatorOptions), description="the operator")
    console: ConsoleOptions = Field(default_factory=lambda: load(ConsoleOptions), description="the console")
    models: ModelsOptions = Field(default_factory=lambda: load(ModelsOptions), description="the model registry")
    generations: GenerationOptions = Field(
        default_factory=lambda: load(GenerationOptions), description="index generations"
    )
