"""Settings of the query role, nested in the embedder's own (`ROGGIA_QUERY__…`)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from roggia_embedder.query.shadow.settings import ShadowSettings


class QuerySettings(BaseModel):
    """What an operator may change about answering."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(
        default=0.45,
        ge=-1,
        le=1,
        description="least cosine of question and best sentence that counts as an answer; belongs to the model",
    )
    hosts: str = Field(
        default="",
        description="further names by which clients reach the query role, comma-separated; others are refused (421), "
        "except on /health. Unset with query_host 0.0.0.0 or ::, every name is taken",
    )
    deadline_s: float = Field(default=30.0, gt=0, le=600, description="seconds until a request is given up")
    languages: tuple[str, ...] = Field(
        default=("da", "de", "en", "es", "fi", "fr", "it", "nl", "pt", "sv"),
        max_length=32,
        description="ISO 639-1 codes whose stems a query without a language filter is tried in",
    )
    tenants_with_query_text: frozenset[str] = Field(
        default=frozenset(),
        description="tenants that agreed to have their queries' text in retrieval.served and retrieval.shadowed",
    )
    events_queue: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000,
        description="events of each kind (retrieval.served, retrieval.shadowed) that may wait for Kafka; more are "
        "dropped",
    )
    max_waiting: int = Field(
        default=256, ge=1, description="requests that may wait for the model; more are refused with 503"
    )
    shadow: ShadowSettings = Field(
        default_factory=ShadowSettings, description="what a generation in the shadow is asked"
    )
