"""The embedder's settings: `ROGGIA_EMBEDDER_…` for all roles, `ROGGIA_QUERY__…` for answering, `ROGGIA_POPULARITY__…`
for counting, beside what every service has."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from roggia_runtime.settings import MIB, BatchLimits, DlqLimits, LaneSettings, Port, ServiceSettings, load

from roggia_embedder.popularity.settings import PopularitySettings
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.tuning import TUNING, IndexTuning

DEFAULT_MODEL = "all-MiniLM-L6-v2"
STUB_MODEL = "stub"
DAY_S = 86_400


class EmbedderOptions(BaseSettings):
    """What the embedder's roles have. A role reads what concerns it."""

    model_config = SettingsConfigDict(
        env_prefix="ROGGIA_EMBEDDER_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    model: str = Field(
        DEFAULT_MODEL,
        min_length=1,
        description="all-MiniLM-L6-v2 (bundled), a folder with a sentence-transformers model, the base URL of an "
        "OpenAI-compatible server (…/v1), or stub (hashes, no meaning: tests and benchmarks)",
    )
    model_name: str = Field("", description="model name to send to an OpenAI-compatible server")
    model_revision: str = Field("", description="stands for the weights of a remote model: change it when they change")
    model_key: SecretStr | None = Field(None, description="API key of an OpenAI-compatible server")
    model_timeout_s: float = Field(60.0, gt=0, description="seconds until a request to a model server has failed")
    dimension: int = Field(384, ge=1, le=65_536, description="dimension of a remote model's or the stub's vectors")
    window: int = Field(512, ge=16, le=131_072, description="most tokens of one text, special tokens included")
    passage_prefix: str = Field("", description="put before every passage, for models that were trained with one")
    query_prefix: str = Field("", description="put before every query, for models that were trained with one")
    device: str = Field("cpu", min_length=1, description="torch device: cpu, cuda, cuda:1, mps")
    threads: int | None = Field(None, ge=1, le=1024, description="torch threads; unset: one per physical core")
    batch_tokens: int = Field(
        4096, ge=16, description="tokens of one encoding batch, padding included; a longer text is encoded alone"
    )

    generation: int = Field(1, ge=1, description="index generation N: doc.embedded.g<N> and collections …__g<N>")
    chunker_generation: int = Field(1, ge=1, description="chunker generation K: doc.chunked.c<K> is read")
    cache: Path = Field(Path("roggia-data/vectors.sqlite3"), description="file of the vector cache (embed role)")
    part_bytes: int = Field(
        MIB, ge=1024, le=8 * MIB, description="bytes of a doc.embedded event above which a revision is split in parts"
    )

    store: str = Field(
        "roggia-data/index",
        min_length=1,
        description="vector store: a folder (embedded engine, one process) or the URL of a Qdrant server",
    )
    store_key: SecretStr | None = Field(None, description="API key of the Qdrant server")
    tuning: IndexTuning = Field(TUNING, description="index parameters of new collections")
    deletion_retention_s: float = Field(
        30 * DAY_S, gt=0, description="seconds that a deletion is remembered; longer than anything is replayed"
    )
    maintain_interval_s: float = Field(30.0, gt=0, description="seconds between two flushes of the embedded engine")
    sweep_interval_s: float = Field(3600.0, gt=0, description="seconds between two sweeps of old deletions")

    verify_interval_s: float = Field(
        DAY_S, ge=0, description="seconds between two verifications of the whole index (upsert role); 0: none"
    )
    verify_points_per_s: float = Field(
        5_000.0, ge=0, description="points and chunks per second that a verification reads at most; 0: no bound"
    )
    verify_patience_s: float = Field(
        30.0, ge=0, description="seconds that a verification waits for versions that are on their way"
    )

    query_host: str = Field("127.0.0.1", description="address that the query role listens on")
    query_port: Port = Field(7080, description="TCP port of the query role; 0 takes a free one, which is logged")

    batch: BatchLimits = Field(default_factory=BatchLimits, description="when a batch is complete (upsert role)")
    embed_batch: BatchLimits = Field(
        BatchLimits(max_records=200, max_bytes=MIB // 4, max_wait_ms=50),
        description="when a batch is complete (embed role): small enough that its first vectors are not kept waiting "
        "for its last, large enough to sort texts by length",
    )
    dlq: DlqLimits = Field(default_factory=DlqLimits, description="when dead letters stop the consumer")
    lane: LaneSettings = Field(default_factory=LaneSettings, description="what a role's replay lane may have")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.remote_model and not (self.model_name and self.model_revision):
            raise ValueError("a model server needs model_name and model_revision")
        return self

    @property
    def remote_model(self) -> bool:
        """The model is a server."""
        return self.model.startswith(("http://", "https://"))

    @property
    def remote_store(self) -> bool:
        """The store is a server; more than one process may use it."""
        return self.store.startswith(("http://", "https://"))

    @property
    def embed_group(self) -> str:
        """Consumer group of the embed role."""
        return f"roggia.embed.g{self.generation}"

    @property
    def upsert_group(self) -> str:
        """Consumer group of the upsert role."""
        return f"roggia.upsert.g{self.generation}"


class EmbedderSettings(ServiceSettings):
    """Everything that `roggia_embedder.app.build` needs."""

    embedder: EmbedderOptions = Field(default_factory=lambda: load(EmbedderOptions), description="the embedder's roles")
    query: QuerySettings = Field(default_factory=QuerySettings, description="the query role")
    popularity: PopularitySettings = Field(default_factory=PopularitySettings, description="the popularity role")
