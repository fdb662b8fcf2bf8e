"""An evaluation becomes a gate's report of a version, or is refused with the reason."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from msgspec import structs
from roggia_operator.evaluation import running
from roggia_operator.evaluation.report.model import Report, decode
from roggia_operator.evaluation.running import Wanted
from roggia_operator.models import tags
from roggia_operator.models.evidence import judged
from roggia_operator.models.filing import HTML, JSON, filed, metrics
from roggia_operator.models.values import Draft, Evidence, ModelVersion
from roggia_operator.models.values import Report as GateReport
from roggia_runtime.errors import ModelRegistryError

from tests.support.evaluating import FakeService, asked, golden, wanted_document
from tests.support.models import FakeModelRegistry, embedder


@pytest.fixture(scope="module")
def found() -> Report:
    """An evaluation that passed, of a generation whose vectors are of m2."""
    service = FakeService(
        g1=lambda question: [wanted_document(question)], g2=lambda question: [wanted_document(question)]
    )
    questions = golden([asked(number) for number in range(150)])
    return asyncio.run(running.run(service, questions, Wanted(2, against=1), "2026-01-01T00:00:00Z"))


class _Registry(FakeModelRegistry):
    """Keeps what was filed with reports."""

    def __init__(self) -> None:
        super().__init__()
        self.evidence: dict[str, Evidence] = {}

    def file_report(self, report: GateReport, evidence: Evidence) -> GateReport:
        """See `ModelRegistry`."""
        made = super().file_report(report, evidence)
        self.evidence[made.report_id] = evidence
        return made


def _version(registry: FakeModelRegistry, found: Report) -> ModelVersion:
    return registry.register(Draft(name="emb", ref=embedder(found.generation.models[0])))


def test_a_filed_report_lets_its_version_be_champion(found: Report) -> None:
    """Verdict, corpus and fingerprint agree with the version's tags; report and page are kept whole beside the run."""
    registry = _Registry()
    version = _version(registry, found)
    made = filed(registry, version, found, "<p>page</p>")
    (held,) = registry.versions("emb")
    assert judged(held, registry) == []
    assert (held.tags[tags.GATE], held.tags[tags.GATE_MANIFEST]) == ("pass", "m1")
    evidence = registry.evidence[made.report_id]
    assert decode(evidence.files[JSON].encode()) == found
    assert evidence.files[HTML] == "<p>page</p>"
    assert evidence.metrics["mrr@10"] == evidence.metrics["mrr@10_before"] == 1.0
    assert evidence.metrics["questions"] == metrics(found)["questions"] == 150


def test_what_is_no_evidence_is_refused_and_leaves_nothing(found: Report) -> None:
    """Without a comparison, without a corpus, of other vectors: no run, no tag."""
    registry = _Registry()
    version = _version(registry, found)
    other = replace(version, ref=embedder("other"))
    for report, of, said in (
        (structs.replace(found, verdict=None), version, "compared it with nothing"),
        (structs.replace(found, golden=structs.replace(found.golden, manifest="")), version, "names no manifest"),
        (found, other, "the version is other"),
    ):
        with pytest.raises(ModelRegistryError, match=said):
            filed(registry, of, report, "")
    assert (registry.evidence, tags.GATE in registry.versions("emb")[0].tags) == ({}, False)
