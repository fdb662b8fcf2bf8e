"""One evaluation from end to end: ask, probe, judge. For the command line and the controller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from roggia_operator.evaluation import asking, judging, probes
from roggia_operator.evaluation.asking import Asked, Depth, Failures
from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.golden.model import GoldenSet
from roggia_operator.evaluation.judging import Limits
from roggia_operator.evaluation.ports import Ask
from roggia_operator.evaluation.report.model import Check, Golden, Report, Row, Side
from roggia_operator.evaluation.verdict import GateSettings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to evaluate, against what, and how. `ann_sample` 0 waives the probe of the approximate index."""

    generation: int
    against: int | None = None
    depth: Depth = field(default_factory=Depth)
    gate: GateSettings = field(default_factory=GateSettings)
    limits: Limits = field(default_factory=Limits)
    ann_sample: int = 100


async def run(ask: Ask, golden: GoldenSet, wanted: Wanted, created: str) -> Report:
    """Evaluate. Raises as `asking.ask_all` does, and `EvaluationError` when no question has an answer."""
    generations = [*([] if wanted.against is None else [wanted.against]), wanted.generation]
    failures = Failures(len(golden.queries), wanted.depth.failures)
    asked = await asking.ask_all(ask, golden.queries, generations, wanted.depth, failures)
    if not asked:
        raise EvaluationError(f"no question of {golden.header.id} has an answer: {failures.first}")
    rows = judging.rows(asked)
    sides = _sides(asked, rows, wanted.depth.concurrency)
    gate = judging.compare(rows, wanted.gate) if wanted.against is not None else None
    checks = await _checks(ask, golden, wanted, sides[-1])
    verdict, reason = judging.verdict(gate, checks)
    return Report(
        created=created,
        golden=_named(golden),
        generation=sides[-1],
        against=sides[0] if len(sides) > 1 else None,
        settings=wanted.gate,
        verdict=verdict,
        reason=reason,
        gate=gate,
        checks=checks,
        alarms=judging.alarms(rows, failures.count),
        failed=failures.count,
        rows=tuple(rows),
    )


def _sides(asked: Sequence[Asked], rows: Sequence[Row], concurrency: int) -> list[Side]:
    old = [row.old for row in rows if row.old is not None]
    scores = ([old] if old else []) + [[row.new for row in rows]]
    return [judging.side(asked, at, scores[at], rows, concurrency) for at in range(len(scores))]


async def _checks(ask: Ask, golden: GoldenSet, wanted: Wanted, side: Side) -> tuple[Check, ...]:
    probed = await probes.acl(ask, golden.queries, wanted.generation, wanted.depth)
    near = await probes.ann(ask, golden.queries, wanted.generation, wanted.depth, wanted.ann_sample)
    return judging.checks(probed, near, side.latency.p95, wanted.limits)


def _named(golden: GoldenSet) -> Golden:
    header = golden.header
    return Golden(
        id=header.id,
        version=header.version,
        sha256=golden.sha256,
        manifest=header.manifest,
        queries=len(golden.queries),
    )
