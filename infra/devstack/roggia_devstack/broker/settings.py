"""Settings of the broker process."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class BrokerSettings(BaseSettings):
    """Read from `ROGGIA_BROKER_*` variables and the command line; defaults are Kafka's unless said."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_BROKER_", frozen=True, extra="forbid")

    data: Path = Field(description="Directory of the logs and of the broker's own state; made when absent.")
    host: str = Field(default="127.0.0.1", description="Address to listen on; a loopback address.")
    port: int = Field(default=19092, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    advertised_host: str | None = Field(default=None, description="Host that clients are told to connect to.")
    any_interface: bool = Field(default=False, description="Accept a host that is not a loopback address.")
    node_id: int = Field(default=1, ge=0, le=2**31 - 1, description="Id of the only broker of this cluster.")
    auto_create_topics: bool = Field(
        default=False,
        description="Make a topic when a client asks for one that does not exist. Kafka's default is true.",
    )
    default_partitions: int = Field(
        default=1, ge=1, le=10_000, description="Partitions where a request leaves them open."
    )
    max_frame_bytes: int = Field(
        default=100 * 1024 * 1024, ge=1024, le=2**31 - 1, description="Largest request, in bytes."
    )
    max_connections: int = Field(
        default=1_000, ge=1, description="Most connections at once; further ones are closed as they come."
    )
    max_idle_ms: int = Field(
        default=600_000, ge=10, description="A connection on which no request began for so long is closed, in ms."
    )
    max_fetch_bytes: int = Field(
        default=55 * 1024 * 1024, ge=1024, le=2**31 - 1, description="Largest fetch answer, in bytes."
    )
    min_session_timeout_ms: int = Field(default=6_000, ge=1, description="Shortest session of a group member, in ms.")
    max_session_timeout_ms: int = Field(default=1_800_000, ge=1, description="Longest session of a member, in ms.")
    initial_rebalance_delay_ms: int = Field(
        default=0, ge=0, description="How long a new group waits for more members, in ms. Kafka's default is 3000."
    )
    max_transaction_timeout_ms: int = Field(default=900_000, ge=1, description="Longest transaction timeout, in ms.")
    transaction_check_ms: int = Field(
        default=1_000, ge=10, description="How often transactions past their timeout are looked for, in ms."
    )
    maintain_every_ms: int = Field(default=15_000, ge=50, description="How often retention and compaction run, in ms.")
