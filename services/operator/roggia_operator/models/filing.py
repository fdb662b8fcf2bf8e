"""Keeps an evaluation as a gate's report of a version: a run in the registry, and the version's tags. Blocks."""

from __future__ import annotations

from collections.abc import Mapping

from roggia_runtime.errors import ModelRegistryError

from roggia_operator.evaluation.report import model as evaluations
from roggia_operator.evaluation.slices import EVERYTHING
from roggia_operator.models import tags
from roggia_operator.models.ports import ModelRegistry
from roggia_operator.models.values import Evidence, ModelVersion, Report, Verdict

JSON, HTML = "report.json", "report.html"
"""Names of the report's files beside its run."""


def filed(registry: ModelRegistry, version: ModelVersion, found: evaluations.Report, page: str) -> Report:
    """File what an evaluation found of a version, whatever its verdict; the report with its id.

    The tags are written last: a version whose tags name no report was not judged. Raises `ModelRegistryError` for an
    evaluation that is no gate's, or not of this version's vectors, and as the registry does.
    """
    report = registry.file_report(_report(version, found), Evidence(metrics(found), _files(found, page)))
    registry.set_tags(version.name, version.version, tags.of_gate(report))
    return report


def metrics(found: evaluations.Report) -> Mapping[str, float]:
    """What the registry can plot: both sides over all questions, the bounds of the difference, the latencies."""
    numbers = {"questions": float(found.golden.queries), "p95_s": found.generation.latency.p95}
    for one in found.gate.compared if found.gate else ():
        if one.slice == EVERYTHING:
            numbers |= {one.measure: one.new, f"{one.measure}_before": one.old}
            numbers |= {f"{one.measure}_low": one.low, f"{one.measure}_high": one.high}
    return numbers


def _report(version: ModelVersion, found: evaluations.Report) -> Report:
    if found.verdict is None:
        raise ModelRegistryError(f"{version}: the evaluation compared it with nothing, so there is no verdict to file")
    if not found.golden.manifest:
        raise ModelRegistryError(
            f"{version}: golden set {found.golden.id} names no manifest: on which corpus it judges is not known"
        )
    fingerprint = version.ref.fingerprint
    if found.generation.models != (fingerprint,):
        asked = ", ".join(found.generation.models)
        raise ModelRegistryError(
            f"{version}: generation {found.generation.generation} answered with {asked}, the version is {fingerprint}"
        )
    return Report(
        name=version.name, version=version.version, verdict=Verdict(found.verdict.value),
        manifest=found.golden.manifest, fingerprint=fingerprint,
    )  # fmt: skip


def _files(found: evaluations.Report, page: str) -> Mapping[str, str]:
    return {JSON: evaluations.encode(found).decode(), HTML: page}
