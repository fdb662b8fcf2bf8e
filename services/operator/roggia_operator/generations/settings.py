"""The controller's settings: `ROGGIA_OPERATOR_GENERATIONS_…`."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, FilePath, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from roggia_operator.generations.alarms import Limits
from roggia_operator.generations.values import Rules

_MS = 1000


class GenerationOptions(BaseSettings):
    """How generations of the index are moved."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_OPERATOR_GENERATIONS_", frozen=True, extra="forbid")

    baseline: int = Field(1, ge=1, description="the generation that the embedder's own settings name")
    limit: int = Field(2, ge=2, le=8, description="generations that may follow the log at a time; each costs its index")
    lag: int = Field(500, ge=0, description="records that a generation's groups may be behind when its filling ends")
    grace_s: float = Field(
        3600.0, ge=0, description="seconds that a generation is kept after it stopped serving, before it may be retired"
    )
    fresh_s: float = Field(
        600.0, gt=0, description="seconds that a comparison of an index with the log counts as proof"
    )
    again_s: float = Field(15.0, gt=0, description="seconds before evidence that was not good enough is gathered again")
    tick_s: float = Field(1.0, ge=0.05, le=60, description="seconds between two looks at progress and at queries")
    reports: Path = Field(Path("roggia-data/reports"), description="folder with the gate's reports, <id>.json")
    metrics_urls: str = Field(
        "",
        description="addresses of the query role's metrics, comma-separated: a canary or a fresh cutover that answers "
        "badly is rolled back; unset, nobody watches",
    )
    watch_s: float = Field(3600.0, ge=0, description="seconds that a cutover is watched")
    watch_least: int = Field(50, ge=1, description="queries below which a generation is not judged")
    watch_errors: float = Field(
        0.02, ge=0, le=1, description="share of errors above that of the generation before that is too much"
    )
    watch_empty: float = Field(
        0.10, ge=0, le=1, description="share of queries without a result above that of the generation before"
    )
    watch_slow_s: float = Field(1.0, gt=0, description="seconds for 95 of 100 queries that are always good enough")
    watch_slower: float = Field(
        1.5, ge=1, description="how many times as long as before 95 of 100 queries may take beyond that"
    )
    probe: FilePath | None = Field(
        None,
        description="golden set whose questions are asked of a canary, or of a fresh cutover, and of the generation "
        "before it: lower precision rolls it back; unset, nobody asks",
    )
    probe_url: str = Field("", description="address of the query role's API, where they are asked; needed with a probe")
    probe_every_s: float = Field(300.0, ge=1, description="seconds between two probes")
    probe_drop: float = Field(
        0.05, ge=0, le=1, description="loss of precision@5 that a probe puts up with; more, beyond doubt, is too much"
    )

    @model_validator(mode="after")
    def _a_probe_has_an_address(self) -> Self:
        if self.probe is not None and not self.probe_url:
            raise ValueError("probe_url is empty: give the query role's address, where the probe's questions are asked")
        return self

    @property
    def rules(self) -> Rules:
        """What the moves are decided by. Nobody is watched where neither metrics are read nor questions asked."""
        return Rules(
            baseline=self.baseline,
            limit=self.limit,
            lag=self.lag,
            grace_ms=round(self.grace_s * _MS),
            fresh_ms=round(self.fresh_s * _MS),
            again_ms=round(self.again_s * _MS),
            watch_ms=round(self.watch_s * _MS) if self.urls or self.probe else 0,
            tick_ms=round(self.tick_s * _MS),
            probe_ms=round(self.probe_every_s * _MS) if self.probe else 0,
        )

    @property
    def limits(self) -> Limits:
        """How much worse is too much."""
        return Limits(self.watch_least, self.watch_errors, self.watch_empty, self.watch_slow_s, self.watch_slower)

    @property
    def urls(self) -> list[str]:
        """Where the query role's metrics are."""
        return [url for url in map(str.strip, self.metrics_urls.split(",")) if url]
