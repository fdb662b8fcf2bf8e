"""The probe of precision: which questions it asks of whom, what it calls a loss, what stops the service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from roggia_operator.evaluation.errors import EvaluationError, GoldenSetError
from roggia_operator.evaluation.golden.model import GoldenQuery
from roggia_operator.evaluation.ports import Ask
from roggia_operator.generations import building
from roggia_operator.generations.adapters.golden_probe import GoldenProbe, NoProbe, judged
from roggia_operator.generations.settings import GenerationOptions
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.settings import load

from tests.support.evaluating import FakeService, asked, wanted_document

DROP = 0.05


def probe(service: FakeService, queries: list[GoldenQuery]) -> GoldenProbe:
    """A probe that asks a service in memory."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        yield service

    return GoldenProbe(opened, queries, DROP)


async def test_a_generation_that_finds_less_is_told_apart() -> None:
    """Half of the answers lost of 200 is said in numbers; a generation that finds the same may go on."""
    queries = [asked(number) for number in range(200)]
    service = FakeService(
        g1=lambda question: [wanted_document(question)],
        g2=lambda question: [wanted_document(question)] if int(wanted_document(question)[1:]) % 2 else ["other"],
        g3=lambda question: ["other", wanted_document(question)],
    )
    said = await probe(service, queries).lost(2, lambda _tenant, _domain: 1)
    assert said == "precision@5: 0.50 over 200 questions with known answers, before 1.00"
    assert await probe(service, queries).lost(3, lambda _tenant, _domain: 1) == ""


async def test_every_question_is_compared_with_who_would_answer_it() -> None:
    """Questions go, pinned, to the generation and to its rival of that knowledge base; others are not asked."""
    queries = [asked(1), asked(2, domain="code"), asked(3, tenant="other")]
    rivals = {("acme", "docs"): 1, ("acme", "code"): 2}
    service = FakeService(**dict.fromkeys(("g1", "g2", "g3"), lambda question: [wanted_document(question)]))
    assert await probe(service, queries).lost(3, lambda tenant, domain: rivals.get((tenant, domain))) == ""
    assert {(one.domain, one.generation) for one in service.asked} == {
        ("docs", 1),
        ("docs", 3),
        ("code", 2),
        ("code", 3),
    }


async def test_a_set_without_a_question_for_it_is_said() -> None:
    """A probe that cannot judge is no silent yes."""
    with pytest.raises(EvaluationError, match="no question about what generation 2 holds"):
        await probe(FakeService(), [asked(1)]).lost(2, lambda _tenant, _domain: None)


def test_few_questions_and_noise_roll_nothing_back() -> None:
    """Three lost answers of three decide nothing. Of 500 probes of an equal generation, at most two call it worse."""
    assert judged([(1.0, 0.0)] * 3, DROP) == ""
    drawn = np.random.default_rng(11)
    noisy = [judged([(float(a), float(b)) for a, b in drawn.integers(0, 2, (100, 2))], DROP) for _ in range(500)]
    assert sum(map(bool, noisy)) <= 2


def test_a_probe_that_cannot_be_is_refused_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No address, no such file, a file that is no golden set: the service does not start; no probe asks nothing."""
    file = tmp_path / "probe.jsonl"
    monkeypatch.setenv("ROGGIA_OPERATOR_GENERATIONS_PROBE", str(file))
    with pytest.raises(ConfigurationError, match="PROBE"):
        load(GenerationOptions)
    file.write_text("{}")
    with pytest.raises(ConfigurationError, match="probe_url is empty"):
        load(GenerationOptions)
    monkeypatch.setenv("ROGGIA_OPERATOR_GENERATIONS_PROBE_URL", "http://127.0.0.1:1")
    options = load(GenerationOptions)
    assert (options.rules.watch_ms, options.rules.probe_ms) == (3_600_000, 300_000)
    with pytest.raises(GoldenSetError, match=":1: "):
        building.probe(options)
    assert isinstance(building.probe(GenerationOptions(probe=None)), NoProbe)
