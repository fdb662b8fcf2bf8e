"""What this room needs of others: a registry, the generations as they stand, somebody who takes wishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from roggia_operator.models.generations import Standing, Wish
from roggia_operator.models.values import Draft, Evidence, Model, ModelVersion, Report


class ModelRegistry(Protocol):
    """Registered models, their versions and aliases. Calls block: callers in an event loop use a thread.

    Every call may raise `ModelRegistryUnavailableError` (ask again later), `ModelRegistryError` (it refuses, and says
    why) and, where a name, version or report is given, `UnknownModelError`.
    """

    def models(self) -> Sequence[Model]:
        """Every model of ours with its aliases, by name. Models without the tag of a kind belong to others."""
        ...

    def versions(self, name: str) -> Sequence[ModelVersion]:
        """A model's versions, oldest first. A deleted one is gone."""
        ...

    def register(self, draft: Draft) -> ModelVersion:
        """Log weights or a reference, and make it the model's next version; a new name makes the model.

        Raises `ModelRegistryError` when the model there is of another kind.
        """
        ...

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias at a version, away from any other."""
        ...

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias; one that is not there is removed already."""
        ...

    def set_tags(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version; others stay."""
        ...

    def set_stage(self, name: str, version: int, stage: str) -> None:
        """Set MLflow's classic stage of a version, for tools that read stages. Others keep theirs."""
        ...

    def delete_version(self, name: str, version: int) -> None:
        """Remove a version and the aliases that point at it."""
        ...

    def file_report(self, report: Report, evidence: Evidence) -> Report:
        """Keep a gate's report with its evidence; return it with its id. It says nothing of its version yet."""
        ...

    def report(self, report_id: str) -> Report | None:
        """A report by its id; None when there is none, or what has this id is no report."""
        ...

    def download(self, name: str, version: int, into: Path) -> Path:
        """Put what was logged into a folder under `into`; return that folder."""
        ...


class Standings(Protocol):
    """How the generations stand: rows of `index.generation`, the baseline among them."""

    def __call__(self) -> Sequence[Standing] | None:
        """All of them, from memory; None while they are not known yet, which must not be taken for "there are none"."""
        ...


class Wishes(Protocol):
    """Who writes wishes into the record."""

    async def __call__(self, wish: Wish) -> None:
        """Write the WANTED side. The same wish may come twice and must not have twice the effect: see `Wish`.

        Raises `RoggiaError` when it cannot be written now; it is wished again.
        """
        ...
