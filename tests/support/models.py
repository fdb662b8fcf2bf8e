"""Registries of models for tests: a fake, and MLflow with a database that is made once."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from roggia_operator.models import tags
from roggia_operator.models.values import (
    Draft,
    Evidence,
    Model,
    ModelFacts,
    ModelKind,
    ModelVersion,
    Report,
)
from roggia_runtime.adapters.mlflow_client import FACTS_FILE, WEIGHTS_FOLDER
from roggia_runtime.errors import ModelRegistryError, ModelRegistryUnavailableError, UnknownModelError


class FakeModelRegistry:
    """A `ModelRegistry` in memory. `down` makes every call fail, as a server that does not answer. Of the models in
    `unreadable` some version's tags make no sense."""

    def __init__(self) -> None:
        self.down = False
        self.unreadable: set[str] = set()
        self._models: dict[str, Model] = {}
        self._versions: dict[str, dict[int, ModelVersion]] = {}
        self._drafts: dict[tuple[str, int], Draft] = {}
        self._reports: dict[str, Report] = {}
        self._last: dict[str, int] = {}
        self._clock = itertools.count(1_000)

    def models(self) -> Sequence[Model]:
        self._up()
        return [replace(model, aliases=dict(model.aliases)) for _, model in sorted(self._models.items())]

    def versions(self, name: str) -> Sequence[ModelVersion]:
        self._model(name)
        if name in self.unreadable:
            raise ModelRegistryError(f"models:/{name}/2: tag roggia.window: 'x' is not a number; log the version again")
        return [one for _, one in sorted(self._versions[name].items())]

    def register(self, draft: Draft) -> ModelVersion:
        self._up()
        there = self._models.get(draft.name)
        if there is not None and there.kind != draft.ref.kind:
            raise ModelRegistryError(f"{draft.name}: is of kind {there.kind}, not {draft.ref.kind}")
        there = there or Model(draft.name, draft.ref.kind, {})
        self._models[draft.name] = replace(there, selection=tuple(sorted(draft.selection)) or there.selection)
        version = self._last[draft.name] = self._last.get(draft.name, 0) + 1
        ref = replace(draft.ref, uri=f"models:/{draft.name}/{version}")
        made = ModelVersion(draft.name, version, ref, tags.of_ref(ref), "", f"run{version}", next(self._clock))
        self._versions.setdefault(draft.name, {})[version] = made
        self._drafts[draft.name, version] = draft
        return made

    def set_alias(self, name: str, alias: str, version: int) -> None:
        self._version(name, version)
        self._aliases(name, {**self._models[name].aliases, alias: version})

    def delete_alias(self, name: str, alias: str) -> None:
        held = self._model(name).aliases
        self._aliases(name, {one: version for one, version in held.items() if one != alias})

    def set_tags(self, name: str, version: int, changed: Mapping[str, str]) -> None:
        held = self._version(name, version)
        merged = {**held.tags, **changed}
        self._versions[name][version] = replace(held, tags=merged, ref=tags.ref(held.ref.uri, merged))

    def set_stage(self, name: str, version: int, stage: str) -> None:
        self._versions[name][version] = replace(self._version(name, version), stage=stage)

    def delete_version(self, name: str, version: int) -> None:
        self._version(name, version)
        del self._versions[name][version]
        held = self._models[name].aliases
        self._aliases(name, {alias: one for alias, one in held.items() if one != version})

    def file_report(self, report: Report, evidence: Evidence) -> Report:
        self._model(report.name)
        filed = replace(report, report_id=f"report{len(self._reports) + 1}", at_ms=next(self._clock))
        self._reports[filed.report_id] = filed
        return filed

    def report(self, report_id: str) -> Report | None:
        self._up()
        return self._reports.get(report_id)

    def download(self, name: str, version: int, into: Path) -> Path:
        self._version(name, version)
        draft, folder = self._drafts[name, version], into / "model"
        folder.mkdir(parents=True)
        (folder / FACTS_FILE).write_text(json.dumps(tags.of_ref(draft.ref)))
        if draft.folder is not None:
            shutil.copytree(draft.folder, folder / WEIGHTS_FOLDER)
        return folder

    def _up(self) -> None:
        if self.down:
            raise ModelRegistryUnavailableError("registry: does not answer")

    def _model(self, name: str) -> Model:
        self._up()
        if name not in self._models:
            raise UnknownModelError(f"{name}: no such model")
        return self._models[name]

    def _version(self, name: str, version: int) -> ModelVersion:
        self._model(name)
        if version not in self._versions[name]:
            raise UnknownModelError(f"{name}/{version}: no such version")
        return self._versions[name][version]

    def _aliases(self, name: str, aliases: Mapping[str, int]) -> None:
        self._models[name] = replace(self._models[name], aliases=aliases)


def embedder(fingerprint: str = "m@0123456789abcdef;dim=4", dimension: int = 4) -> ModelFacts:
    """Facts of an embedder."""
    return ModelFacts(kind=ModelKind.EMBEDDER, fingerprint=fingerprint, dimension=dimension, window=128)


def generator(endpoint: str = "https://llm.example/v1") -> ModelFacts:
    """Facts of a generator."""
    return ModelFacts(kind=ModelKind.GENERATOR, endpoint=endpoint, served="small", revision="2026-11", prompt="answer")
