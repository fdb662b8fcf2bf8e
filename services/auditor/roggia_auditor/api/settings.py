"""Settings of the API: `ROGGIA_AUDITOR_API_…`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from roggia_runtime.settings import Port


class ApiOptions(BaseSettings):
    """Where the API listens, who may ask, and where exports lie."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_AUDITOR_API_", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address that the API listens on")
    port: Port = Field(7091, description="TCP port of the API; 0 takes a free one, which is logged")
    hosts: str = Field(
        "",
        description="further names by which clients reach the API, comma-separated; others are refused (421). Unset "
        "with host 0.0.0.0 or ::, every name is taken",
    )
    tokens: Path = Field(
        Path("roggia-data/audit-tokens.yaml"),
        description="YAML file of the tokens that may ask, as hashes (roggia audit token); read again when it changes",
    )
    exports: Path = Field(Path("roggia-data/audit-exports"), description="folder that exports are made in")
    keep_hours: float = Field(24.0, gt=0, le=24 * 366, description="hours after which an export is removed")
