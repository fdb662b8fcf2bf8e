"""Settings of the shadow, nested in the query role's (`ROGGIA_QUERY__SHADOW__…`)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ShadowSettings(BaseModel):
    """How many searches are asked of a generation in the shadow, and when that gives way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    percent: float = Field(
        default=10.0,
        ge=0,
        le=100,
        description="percent of searches, by a stable hash of tenant and query, that a generation in SHADOW is asked "
        "as well; its answers go to retrieval.shadowed, to no user. 0: none",
    )
    filling: bool = Field(
        default=False, description="ask generations in FILLING too: they hold a part only, so that much will differ"
    )
    concurrency: int = Field(default=1, ge=1, le=64, description="searches in the shadow at a time; more are dropped")
    per_s: float = Field(default=5.0, gt=0, description="searches in the shadow per second; more are dropped")
    in_flight: int = Field(
        default=4, ge=0, description="users' requests in progress above which the shadow stands aside"
    )
    deadline_s: float = Field(default=5.0, gt=0, le=600, description="seconds until a search in the shadow is given up")
