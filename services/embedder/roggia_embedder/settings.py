"""The embedder's settings: `ROGGIA_EMBEDDER_…` for all roles, `ROGGIA_QUERY__…` for answering, `ROGGIA_POPULARITY__…`
for counting, beside what every service has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict
from roggia_runtime.settings import MIB, BatchLimits, DlqLimits, LaneSettings, Options, Port, ServiceSettings, load
from roggia_schemas.names import check_slug

from roggia_embedder.popularity.settings import PopularitySettings
from roggia_embedder.precision import PRECISIONS, Backend, Precision
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.remote import TERMS, RemoteTerms
from roggia_embedder.tuning import TUNING, IndexTuning

DEFAULT_MODEL = "all-MiniLM-L6-v2"
STUB_MODEL = "stub"
DAY_S = 86_400
StoreEngine: TypeAlias = Literal["edge", "qdrant", "postgresql", "weaviate"]
STORE_ENGINES: Mapping[str, StoreEngine] = {
    "http": "qdrant", "https": "qdrant", "postgresql": "postgresql", "postgres": "postgresql",
    "weaviate+http": "weaviate", "weaviate+https": "weaviate",
}  # fmt: skip
"""Engines by the scheme of the store's URL."""


class EmbedderOptions(Options):
    """What the embedder's roles have. A role reads what concerns it."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_EMBEDDER_")

    model: str = Field(
        DEFAULT_MODEL,
        min_length=1,
        description="all-MiniLM-L6-v2 (bundled), a folder with a sentence-transformers model, the base URL of an "
        "OpenAI-compatible server (…/v1), tei+http://… for Text Embeddings Inference, or stub (hashes, no meaning: "
        "tests and benchmarks)",
    )
    model_name: str = Field("", description="model name to send to an OpenAI-compatible server")
    model_revision: str = Field("", description="stands for the weights of a remote model: change it when they change")
    model_key: SecretStr | None = Field(None, description="API key of the model server that `model` names; of no other")
    model_keys: dict[str, SecretStr] = Field(
        {},
        description="API keys of the model servers of other index generations, as JSON: "
        '{"https://host:port": "key"}; a server that is not named gets none',
    )
    model_timeout_s: float = Field(60.0, gt=0, description="seconds until a request to a model server has failed")
    model_folder: Path = Field(
        Path("roggia-data/models"),
        description="folder for models out of the registry, ONNX files made from a model, and what model servers "
        "answered first",
    )
    models_uri: str = Field(
        "",
        description="model registry that models:/NAME/VERSION are fetched from: sqlite:///FILE or the address of an "
        "MLflow server; empty: none",
    )
    metered: bool | None = Field(
        None,
        description="whether the tokens that are embedded are told as inference.completed, which the auditor prices "
        "(embed and query roles); unset: those that a model server computes",
    )
    provider: str = Field(
        "",
        max_length=128,
        description="who computes embeddings, as the price book names it; empty: openai or tei, by what the model "
        "server speaks, and roggia for a local model",
    )
    remote: RemoteTerms = Field(TERMS, description="how a model server is spoken to")
    backend: Backend = Field("torch", description="what computes a local model: torch, or onnx (CPU; extra `onnx`)")
    precision: Precision = Field(
        "fp32",
        description="numbers that a local model computes in: fp32, bf16, fp16 (torch) or int8 (onnx); each makes "
        "another model of it, whose vectors do not mix",
    )
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
    generations: str = Field(
        "all",
        pattern=r"^(all|[1-9]\d{0,9}(,[1-9]\d{0,9})*)$",
        description="index generations that this process embeds or upserts: all that follow the log, or numbers "
        "(1,2); a query role reads all of them",
    )
    head_start_share: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="share of the texts encoded for a generation that fills, 0 to 1, that documents asked for most may "
        "have out of their turn while others wait (embed role); it costs no text twice; 0: all in the order of the log",
    )
    chunker_generation: int = Field(1, ge=1, description="chunker generation K: doc.chunked.c<K> is read")
    cache: Path = Field(Path("roggia-data/vectors.sqlite3"), description="file of the vector cache (embed role)")
    part_bytes: int = Field(
        MIB, ge=1024, le=8 * MIB, description="bytes of a doc.embedded event above which a revision is split in parts"
    )

    store: str = Field(
        "roggia-data/index",
        min_length=1,
        description="vector store: a folder (embedded engine, one process), http(s)://… (a Qdrant server), "
        "postgresql://USER@HOST/DATABASE (PostgreSQL with pgvector) or weaviate+http(s)://… (Weaviate, untried)",
    )
    store_key: SecretStr | None = Field(
        None, description="API key of the Qdrant or Weaviate server, password for PostgreSQL"
    )
    stores: dict[str, str] = Field(
        {},
        description="further vector stores by name, as JSON, for index generations that name one "
        '(`roggia generation plan --store`): {"pg": "postgresql://USER@HOST/DATABASE"}; each process has the same',
    )
    store_keys: dict[str, SecretStr] = Field(
        {}, description='API keys and passwords of the stores in `stores`, by the same names, as JSON: {"pg": "key"}'
    )
    tuning: IndexTuning = Field(TUNING, description="index parameters of new collections")
    deletion_retention_s: float = Field(
        30 * DAY_S, gt=0, description="seconds that a deletion is remembered; longer than anything is replayed"
    )
    maintain_interval_s: float = Field(30.0, gt=0, description="seconds between two flushes of the embedded engine")
    retire_grace_s: float = Field(
        30.0, ge=0, description="seconds that collections of a retired generation stay when no alias points at them"
    )
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
        if self.model.startswith(("http://", "https://")) and not (self.model_name and self.model_revision):
            raise ValueError("a model server needs model_name and model_revision")
        _check_engine("store", self.store)
        for name, url in self.stores.items():
            check_slug("stores", name)
            _check_engine(f"stores: {name}", url)
        if unknown := sorted(self.store_keys.keys() - self.stores.keys()):
            raise ValueError(f"store_keys: {unknown[0]!r} is no name in stores; leave it out, or name its store there")
        if self.precision not in PRECISIONS[self.backend]:
            known = ", ".join(PRECISIONS[self.backend])
            raise ValueError(f"precision {self.precision} is not of backend {self.backend}; use {known}")
        if self.backend == "onnx" and self.device != "cpu":
            raise ValueError(f"backend onnx runs on the cpu, not on device {self.device}; use backend torch there")
        return self

    @property
    def remote_model(self) -> bool:
        """The model is a server."""
        return self.model.startswith(("http://", "https://", "tei+http://", "tei+https://"))

    @property
    def store_engine(self) -> StoreEngine:
        """What stands behind `store`; everything but edge is a server."""
        scheme, url, _ = self.store.partition("://")
        return STORE_ENGINES[scheme] if url else "edge"

    @property
    def hosted(self) -> frozenset[int] | None:
        """The generations to host; None: all."""
        return None if self.generations == "all" else frozenset(map(int, self.generations.split(",")))


def _check_engine(field: str, url: str) -> None:
    if not url:
        raise ValueError(f"{field}: is empty; give a folder or a URL")
    scheme, named, _ = url.partition("://")
    if named and scheme not in STORE_ENGINES:  # the rest of the URL may hold a password
        known = ", ".join(f"{one}://" for one in STORE_ENGINES)
        raise ValueError(f"{field}: no engine for {scheme[:32]}://; use a folder or one of {known}")


def embed_group(generation: int) -> str:
    """Consumer group of the embed role of an index generation."""
    return f"roggia.embed.g{generation}"


def upsert_group(generation: int) -> str:
    """Consumer group of the upsert role of an index generation."""
    return f"roggia.upsert.g{generation}"


class EmbedderSettings(ServiceSettings):
    """Everything that `roggia_embedder.app.build` needs."""

    embedder: EmbedderOptions = Field(default_factory=lambda: load(EmbedderOptions), description="the embedder's roles")
    query: QuerySettings = Field(default_factory=QuerySettings, description="the query role")
    popularity: PopularitySettings = Field(default_factory=PopularitySettings, description="the popularity role")
