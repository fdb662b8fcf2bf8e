"""The console's settings: `ROGGIA_OPERATOR_CONSOLE_…`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from roggia_runtime.hosts import LOOPBACK
from roggia_runtime.settings import Port

from roggia_operator.console.access import Access

MIN_TOKEN = 16


class ConsoleOptions(BaseSettings):
    """Where the console listens and what it allows."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_OPERATOR_CONSOLE_", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address that the console listens on; beyond loopback it needs a token")
    port: Port = Field(7090, description="TCP port of the console; 0 takes a free one, which is logged")
    hosts: str = Field(
        "", description="further names by which browsers reach the console, comma-separated; others are refused"
    )
    token: SecretStr | None = Field(
        None,
        min_length=MIN_TOKEN,
        description="unlocks actions (replay, redrive, drop, jobs, generations); unset: the console is read-only",
    )
    index_url: str = Field(
        "http://127.0.0.1:7080", pattern=r"^https?://", description="address of the query role, for the collections"
    )

    audit_url: str = Field(
        "http://127.0.0.1:7091", pattern=r"^https?://", description="address of the audit API, for costs and proofs"
    )
    audit_token: SecretStr | None = Field(
        None, description="token of the audit API (roggia audit token); unset: the console shows no costs"
    )

    live_url: str | None = Field(
        None, pattern=r"^https?://", description="address of the live views; unset: the console shows none"
    )
    live_token: SecretStr | None = Field(None, description="their token (ROGGIA_LIVE_TOKEN), where they have one")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.private and self.token is None:
            raise ValueError(f"token: needed on {self.host}, where others can reach the console; set one of 16 or more")
        return self

    @property
    def private(self) -> bool:
        """Whether others than this machine can reach it."""
        return self.host not in LOOPBACK and f"[{self.host}]" not in LOOPBACK

    @property
    def access(self) -> Access:
        """What is allowed."""
        more = {name.strip().lower() for name in self.hosts.split(",") if name.strip()}
        token = self.token.get_secret_value() if self.token else ""
        return Access(token, self.private, LOOPBACK | more | {self.host})
