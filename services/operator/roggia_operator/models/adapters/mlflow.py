"""A `ModelRegistry` in MLflow 3: a SQLite file, or a server."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from roggia_runtime.adapters.mlflow_client import WEIGHTS_FOLDER, MlflowConnection, speaking
from roggia_runtime.errors import ModelRegistryError, UnknownModelError

from roggia_operator.models import tags
from roggia_operator.models.adapters import mlflow_folder
from roggia_operator.models.values import Draft, Evidence, Model, ModelVersion, Report

EXPERIMENT = "roggia-models"
"""Where logged versions and reports stand as runs."""
_FOLDER = "model"
_NO_STAGE = {"", "None"}
_PAGE = 200
_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]", re.ASCII)


class MlflowRegistry:
    """See `ModelRegistry`. `uri` is `sqlite:///FILE` or the address of an MLflow server.

    Reading a file that does not exist answers "nothing" without making it, and without loading MLflow.
    """

    def __init__(self, uri: str) -> None:
        self._at = MlflowConnection(uri)

    def models(self) -> Sequence[Model]:
        """See `ModelRegistry`."""
        if self._at.empty:
            return ()
        found: list[Any] = []
        client, token = self._at.client, None
        with speaking(self._at.uri):
            while True:
                page = client.search_registered_models(max_results=_PAGE, page_token=token)
                found += page
                if not (token := page.token):
                    break
        return [_model(one) for one in sorted(found, key=lambda one: str(one.name)) if tags.KIND in one.tags]

    def versions(self, name: str) -> Sequence[ModelVersion]:
        """See `ModelRegistry`."""
        self._known(name)
        found: list[Any] = []
        client, token = self._at.client, None
        with speaking(name):
            while True:
                page = client.search_model_versions(f"name='{name}'", max_results=_PAGE, page_token=token)
                found += page
                if not (token := page.token):
                    break
        return sorted((_version(one) for one in found), key=lambda one: one.version)

    def register(self, draft: Draft) -> ModelVersion:
        """See `ModelRegistry`. A run that failed midway is marked as failed, and no version points at it."""
        client = self._at.client
        with speaking(draft.name):
            self._same_kind(draft)
            run = client.create_run(experiment(self._at, EXPERIMENT), run_name=draft.name, tags=_run_tags(draft))
            run_id, ended = str(run.info.run_id), "FAILED"
            try:
                self._log(run_id, draft)
                ended = "FINISHED"
            finally:
                client.set_terminated(run_id, ended)
            self._make(draft)
            made = client.create_model_version(
                draft.name, f"runs:/{run_id}/{_FOLDER}", run_id, tags=tags.of_ref(draft.ref)
            )
        return _version(made)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """See `ModelRegistry`."""
        self._known(name)
        with speaking(f"{name}/{version}"):
            self._at.client.set_registered_model_alias(name, alias, str(version))

    def delete_alias(self, name: str, alias: str) -> None:
        """See `ModelRegistry`."""
        self._known(name)
        with speaking(name):
            self._at.client.delete_registered_model_alias(name, alias)

    def set_tags(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """See `ModelRegistry`."""
        self._known(name)
        with speaking(f"{name}/{version}"):
            for tag, value in tags.items():
                self._at.client.set_model_version_tag(name, str(version), tag, value)

    def set_stage(self, name: str, version: int, stage: str) -> None:
        """See `ModelRegistry`."""
        self._known(name)
        with speaking(f"{name}/{version}"), warnings.catch_warnings():
            # Deprecated for longer than this package is old; whoever asks for a stage has tools that read it.
            warnings.simplefilter("ignore", FutureWarning)
            self._at.client.transition_model_version_stage(name, str(version), stage)

    def delete_version(self, name: str, version: int) -> None:
        """See `ModelRegistry`."""
        self._known(name)
        with speaking(f"{name}/{version}"):
            self._at.client.delete_model_version(name, str(version))

    def file_report(self, report: Report, evidence: Evidence) -> Report:
        """See `ModelRegistry`."""
        self._known(report.name)
        client = self._at.client
        with speaking(report.name):
            title = f"gate of {report.name}/{report.version}"
            run = client.create_run(experiment(self._at, EXPERIMENT), run_name=title, tags=tags.of_report(report))
            run_id = str(run.info.run_id)
            for name, value in evidence.metrics.items():
                client.log_metric(run_id, metric_name(name), value)
            for name, text in evidence.files.items():
                client.log_text(run_id, text, name)
            client.set_terminated(run_id, "FINISHED")
        filed = self.report(run_id)
        if filed is None:
            raise ModelRegistryError(f"report {run_id}: MLflow did not keep what was written; look at its log")
        return filed

    def report(self, report_id: str) -> Report | None:
        """See `ModelRegistry`."""
        if self._at.empty:
            return None
        client = self._at.client
        with suppress(UnknownModelError), speaking(f"report {report_id}"):
            run = client.get_run(report_id)
            if run.info.lifecycle_stage == "active" and run.info.status == "FINISHED":
                return tags.report(report_id, run.data.tags, int(run.info.end_time or run.info.start_time))
        return None

    def download(self, name: str, version: int, into: Path) -> Path:
        """See `ModelRegistry`."""
        self._known(name)
        return self._at.download(name, version, into)

    def _known(self, name: str) -> None:
        if self._at.empty:
            raise UnknownModelError(f"{name}: {self._at.uri} does not exist; `roggia models log` makes it")
        _ = self._at.client
        with speaking(name):
            self._at.client.get_registered_model(name)

    def _same_kind(self, draft: Draft) -> None:
        with suppress(UnknownModelError), speaking(draft.name):
            there = self._at.client.get_registered_model(draft.name).tags.get(tags.KIND)
            if there not in (None, draft.ref.kind.value):
                raise ModelRegistryError(
                    f"{draft.name}: is of kind {there}, not {draft.ref.kind.value}; register it under another name"
                )

    def _log(self, run_id: str, draft: Draft) -> None:
        client = self._at.client
        for name, value in draft.metrics.items():
            client.log_metric(run_id, metric_name(name), value)
        with tempfile.TemporaryDirectory(prefix="roggia-model-") as folder:
            mlflow_folder.write(Path(folder), draft)
            client.log_artifacts(run_id, folder, _FOLDER)
        if draft.folder is not None:
            client.log_artifacts(run_id, str(draft.folder), f"{_FOLDER}/{WEIGHTS_FOLDER}")

    def _make(self, draft: Draft) -> None:
        """The registered model, with its kind and selection."""
        client = self._at.client
        try:
            with speaking(draft.name):
                client.get_registered_model(draft.name)
        except UnknownModelError:
            client.create_registered_model(draft.name)
        client.set_registered_model_tag(draft.name, tags.KIND, draft.ref.kind.value)
        if draft.selection:
            client.set_registered_model_tag(draft.name, tags.SELECTION, ",".join(draft.selection))


def experiment(at: MlflowConnection, name: str) -> str:
    """Id of an experiment, made where it is missing."""
    if found := at.client.get_experiment_by_name(name):
        return str(found.experiment_id)
    # MLflow's default place beside a SQLite file is ./mlruns of whoever asks.
    place = None if at.file is None else (at.file.absolute().parent / "artifacts").as_uri()
    return str(at.client.create_experiment(name, artifact_location=place))


def metric_name(name: str) -> str:
    """A metric's name in letters that MLflow takes: `mrr@10` is `mrr_at_10` there."""
    return _NOT_IN_NAMES.sub("_", name.replace("@", "_at_"))


def _run_tags(draft: Draft) -> dict[str, str]:
    return {"roggia.by": draft.by, **tags.of_ref(draft.ref)}


def _model(found: Any) -> Model:
    aliases = {str(alias): int(version) for alias, version in found.aliases.items()}
    kind = tags.kind(found.name, found.tags[tags.KIND])
    return Model(found.name, kind, aliases, tags.selection(found.tags.get(tags.SELECTION, "")))


def _version(found: Any) -> ModelVersion:
    stage = "" if found.current_stage in _NO_STAGE else str(found.current_stage)
    ref = tags.ref(f"models:/{found.name}/{found.version}", found.tags)
    return ModelVersion(
        found.name, int(found.version), ref, dict(found.tags), stage, found.run_id or "",
        int(found.creation_timestamp or 0),
    )  # fmt: skip
