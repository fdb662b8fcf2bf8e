"""Settings of the popularity role, nested in the embedder's own (`ROGGIA_POPULARITY__…`)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from roggia_embedder.popularity.counts import Rules

_DAY_S = 86_400


class PopularitySettings(BaseModel):
    """What an operator may change about counting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    half_life_s: float = Field(
        default=7 * _DAY_S,
        gt=0,
        le=3650 * _DAY_S,
        description="seconds after which a request counts half; changing it starts the counts anew",
    )
    interval_s: float = Field(
        default=60.0, gt=0, description="seconds between two records of one document in doc.popularity, at least"
    )
    tolerance: float = Field(
        default=0.1, ge=0, le=10, description="share of a published score by which it must have changed to be published"
    )
    floor: float = Field(
        default=0.01, gt=0, description="score below which a document is forgotten, also in doc.popularity"
    )
    most_documents: int = Field(
        default=200_000, ge=1, description="documents counted in memory, about 0.7 KB each; the rest keep their records"
    )
    tell_every_s: float = Field(default=2.0, gt=0, le=600, description="seconds between two looks at what to publish")

    @property
    def rules(self) -> Rules:
        """The same for the counting itself."""
        return Rules(
            half_life_ms=max(1, round(self.half_life_s * 1000)),
            interval_ms=round(self.interval_s * 1000),
            tolerance=self.tolerance,
            floor=self.floor,
            most=self.most_documents,
        )
