"""The witness's settings: `ROGGIA_WITNESS_…`. It is no service of the pipeline: it knows neither Kafka nor registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class WitnessSettings(BaseSettings):
    """Everything that a witness needs."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_WITNESS_", frozen=True, extra="forbid")

    key: Path = Field(description="file with the witness's own key (roggia audit key --witness)")
    logs: Annotated[tuple[str, ...], NoDecode] = Field(
        description="public keys of the logs that are witnessed, NAME+ID+BASE64, separated by spaces"
    )
    memory: Path = Field(
        Path("roggia-data/witness.sqlite3"), description="file that holds what was signed; never to be lost or reset"
    )
    host: str = Field("127.0.0.1", description="address that it listens at")
    port: int = Field(7100, ge=0, le=65535, description="port that it listens at; 0: any that is free")

    @field_validator("logs", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        return tuple(given.split()) if isinstance(given, str) else given
