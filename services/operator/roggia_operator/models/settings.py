"""Settings of the model registry: `ROGGIA_OPERATOR_MODELS_…`."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from roggia_operator.models.canary import Objectives

MIN_SECRET = 16


class ModelsOptions(BaseSettings):
    """Where models are registered, how often it is looked at, and when a generation model may be champion."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_OPERATOR_MODELS_", frozen=True, extra="forbid")

    uri: str = Field(
        "sqlite:///roggia-data/models/mlflow.sqlite3",
        pattern=r"^(sqlite:///.|https?://.)",
        description="MLflow: sqlite:///FILE (one machine), or the address of an MLflow server",
    )
    poll_s: float = Field(10.0, ge=0.05, le=3600, description="seconds between two looks at the aliases")
    stages: bool = Field(
        False, description="read MLflow's classic stages where an alias is missing: Staging, Production"
    )
    webhook_secret: SecretStr | None = Field(
        None,
        min_length=MIN_SECRET,
        description="secret of the MLflow webhook that wakes the poller; unset: no webhook is taken",
    )
    canary_requests: int = Field(
        200, ge=1, description="canary requests that a generation model needs before champion takes effect"
    )
    canary_failed: float = Field(0.01, ge=0, le=1, description="share of canary requests that may fail")
    canary_slow: float = Field(0.05, ge=0, le=1, description="share of canary requests that may be slow")
    canary_refused: float = Field(0.02, ge=0, le=1, description="share of answers that guard's policies may refuse")

    @property
    def objectives(self) -> Objectives:
        """The objectives of canary requests."""
        return Objectives(self.canary_requests, self.canary_failed, self.canary_slow, self.canary_refused)
