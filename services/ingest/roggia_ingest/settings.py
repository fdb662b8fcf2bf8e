"""Ingest's settings: `ROGGIA_INGEST_…` beside what every service has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict
from roggia_runtime.settings import MIB, BatchLimits, DlqLimits, LaneSettings, Options, ServiceSettings, load

Names = Annotated[tuple[str, ...], NoDecode]
"""A list that is written with commas in the environment."""

_CATALOGUES = ("sqlite:///", "postgresql://", "postgres://")


class IngestOptions(Options):
    """What only ingest has."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_INGEST_")

    catalogue: SecretStr = Field(
        SecretStr("sqlite:///roggia-data/catalogue.sqlite3"),
        description="where document states are kept: sqlite:///PATH, or postgresql://… for several instances",
    )
    group: str = Field("roggia.ingest", min_length=1, description="consumer group on doc.changed")
    generation: int = Field(1, ge=1, description="chunker generation K: writes doc.chunked.c<K>")
    max_event_bytes: int = Field(8 * MIB, ge=1024, description="largest event read or written, bytes, uncompressed")
    max_content_bytes: int = Field(64 * MIB, ge=1024, description="largest content fetched by reference, bytes")
    max_chunk_tokens: int = Field(510, ge=256, le=8192, description="most tokens of a chunk, overlap included")
    min_chunk_tokens: int = Field(
        128, ge=16, description="least tokens of a chunk that does not end its top-level section or the document"
    )
    tokenizer: Path | None = Field(
        None, description="tokenizer.json that counts tokens; unset: the one of all-MiniLM-L6-v2, which is bundled"
    )
    content_schemes: Names = Field(
        ("https", "file"), description="schemes of content_ref that are fetched: https, http, file; comma-separated"
    )
    content_hosts: Names = Field(
        (), description="hosts (host or host:port) that content is fetched from; comma-separated; none when empty"
    )
    content_root: str = Field("", description="folders that file:// content may lie in, separated as in PATH")
    content_private: bool = Field(False, description="allow content hosts with private or loopback addresses")
    content_timeout_s: float = Field(30.0, gt=0, description="seconds that one fetch of content may take")
    content_patience_s: float = Field(
        900.0, gt=0, description="seconds that a content server may be down before a document that needs it is given up"
    )
    workers: int = Field(1, ge=1, le=64, description="processes that extract and chunk what is large or hostile")
    inline_bytes: int = Field(
        32_768, ge=0, description="text and Markdown up to this many bytes are worked on without a worker process"
    )
    document_timeout_s: float = Field(
        60.0, gt=0, description="seconds that extracting and chunking one document may take; then it is a dead letter"
    )
    worker_memory_bytes: int = Field(
        2048 * MIB, ge=256 * MIB, description="address space of one worker process, bytes; bounds hostile documents"
    )
    expiry_interval_s: float = Field(10.0, gt=0, description="seconds between two looks for expired documents")
    batch: BatchLimits = Field(default_factory=BatchLimits, description="when a batch is complete")
    dlq: DlqLimits = Field(default_factory=DlqLimits, description="when dead letters stop the consumer")
    lane: LaneSettings = Field(default_factory=LaneSettings, description="what the replay lane may have")

    @field_validator("content_schemes", "content_hosts", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        return (
            tuple(part.strip().lower() for part in given.split(",") if part.strip())
            if isinstance(given, str)
            else given
        )

    @field_validator("content_schemes")
    @classmethod
    def _known_schemes(cls, schemes: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(schemes) - {"https", "http", "file"})
        if unknown:
            raise ValueError(f"{', '.join(unknown)} cannot be fetched; use https, http, file")
        return schemes

    @field_validator("catalogue")
    @classmethod
    def _known_catalogue(cls, dsn: SecretStr) -> SecretStr:
        if not dsn.get_secret_value().startswith(_CATALOGUES):
            raise ValueError("use sqlite:///PATH or postgresql://USER@HOST/DATABASE")
        return dsn

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if self.min_chunk_tokens * 3 > self.max_chunk_tokens:
            raise ValueError("min_chunk_tokens must be at most a third of max_chunk_tokens")
        return self

    @property
    def content_roots(self) -> tuple[Path, ...]:
        """Folders of `content_root`."""
        return tuple(Path(part) for part in self.content_root.split(os.pathsep) if part)


class IngestSettings(ServiceSettings):
    """Everything that `roggia_ingest.app.build` needs."""

    ingest: IngestOptions = Field(default_factory=lambda: load(IngestOptions), description="ingest")
