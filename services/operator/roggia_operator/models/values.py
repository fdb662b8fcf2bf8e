"""What is known of models. Values without behaviour beyond reading themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

CANDIDATE, CHAMPION, PREVIOUS = "candidate", "champion", "previous"
"""Aliases: fill a generation with it; serve it; what a rollback returns to (written by the reconciler)."""
STAGES: Mapping[str, str] = MappingProxyType({"Staging": CANDIDATE, "Production": CHAMPION, "Archived": PREVIOUS})
"""MLflow's classic stages, which it has deprecated since 2.9, as the aliases that they stand for."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class ModelKind(StrEnum):
    """What a model is for: vectors of an index generation, or answers behind guard."""

    EMBEDDER = "embedder"
    GENERATOR = "generator"


class Verdict(StrEnum):
    """What a gate says. Inconclusive: not enough was seen."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One version's facts, as they were logged. `uri` is `models:/NAME/VERSION`, empty before it has one.

    An embedder has fingerprint, dimension and window. A model that runs elsewhere has an endpoint, the name it goes by
    there, and a revision that stands for its weights; a generator may have a prompt.
    """

    kind: ModelKind
    uri: str = ""
    fingerprint: str = ""
    dimension: int = 0
    window: int = 0
    passage_prefix: str = ""
    query_prefix: str = ""
    endpoint: str = ""
    served: str = ""
    revision: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered version. `tags` are all it has, `stage` is MLflow's classic one or empty."""

    name: str
    version: int
    ref: ModelFacts
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    stage: str = ""
    run_id: str = ""
    created_ms: int = 0

    def __str__(self) -> str:
        """As people write it: `name/3`."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model of ours. `selection`: the knowledge bases that it is for (`tenant/domain`, `tenant/*`);
    empty: all of them."""

    name: str
    kind: ModelKind
    aliases: Mapping[str, int] = field(default_factory=dict, hash=False)
    selection: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A version to be registered. `folder` holds the weights; None registers a reference only.

    `requirements` are written down as given: nothing is inferred, nothing fetched. `selection` holds for the model, and
    is left as it is when empty.
    """

    name: str
    ref: ModelFacts
    folder: Path | None = None
    example: tuple[str, ...] = ("How long do we keep invoices?",)
    requirements: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    selection: tuple[str, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A gate's report as the registry keeps it: of which version, on which corpus, with what verdict, since when."""

    name: str
    version: int
    verdict: Verdict
    manifest: str
    fingerprint: str
    report_id: str = ""
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What goes into the registry with a report: numbers, and files by name."""

    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    files: Mapping[str, str] = field(default_factory=dict, hash=False)
