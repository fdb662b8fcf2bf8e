"""From answers to a report: scores by slice, the gate, checks, alarms, one verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from roggia_operator.evaluation import metrics
from roggia_operator.evaluation.asking import Asked
from roggia_operator.evaluation.gate import judge
from roggia_operator.evaluation.golden.known_items import VERBATIM
from roggia_operator.evaluation.probes import Neighbours, Probed
from roggia_operator.evaluation.report.model import Alarm, Check, Latency, Measured, Row, Side
from roggia_operator.evaluation.scoring import Scores, ranking, score
from roggia_operator.evaluation.slices import EVERYTHING, slices
from roggia_operator.evaluation.statistics.bootstrap import Floats
from roggia_operator.evaluation.verdict import GateResult, GateSettings, Verdict

FLOOR = 0.5
"""Overlap and RBO below which the two generations answer so differently that somebody should look."""
MORE_EMPTY = 0.01


@dataclass(frozen=True, slots=True)
class Limits:
    """Conditions beside relevance. `p95_s` None: latency is reported, and decides nothing. `ann_waived`: not asked."""

    p95_s: float | None = None
    ann_recall: float = 0.95
    ann_waived: bool = False


def rows(asked: Iterable[Asked]) -> list[Row]:
    """One row a question. Of two answers the first is the old generation's, the last the new one's."""
    return [_row(one) for one in asked]


def members(found: Sequence[Row]) -> dict[str, NDArray[np.bool_]]:
    """By slice, which rows are in it; `EVERYTHING` first, the rest by name."""
    names = sorted({name for row in found for name in row.slices}, key=lambda name: (name != EVERYTHING, name))
    return {name: np.array([name in row.slices for row in found]) for name in names}


def compare(found: Sequence[Row], settings: GateSettings) -> GateResult:
    """The gate's verdict on rows with two answers."""
    old = _columns([row.old for row in found if row.old is not None])
    return judge(old, _columns([row.new for row in found]), members(found), settings)


def side(asked: Sequence[Asked], at: int, scores: Sequence[Scores], found: Sequence[Row], concurrency: int) -> Side:
    """What one generation did; `at` is its place among the answers."""
    answers = [one.answers[at] for one in asked]
    return Side(
        generation=answers[0].generation,
        models=tuple(sorted({one.model for one in answers})),
        collections=tuple(sorted({one.collection for one in answers})),
        slices=tuple(_measured(scores, found)),
        latency=_latency([one.seconds for one in answers], concurrency),
    )


def checks(probed: Probed, near: Neighbours, p95_s: float, limits: Limits) -> tuple[Check, ...]:
    """Every condition beside relevance."""
    made = [_acl(probed), _ann(near, limits)]
    if limits.p95_s is not None:
        ok = p95_s <= limits.p95_s
        made.append(Check(name="p95 latency", ok=ok, value=p95_s, limit=limits.p95_s, message="seconds"))
    return tuple(made)


def _acl(probed: Probed) -> Check:
    count = probed.answered + probed.failed
    if probed.leaks:
        shown = ", ".join(f"{leak.query} as {list(leak.groups)}: {leak.documents[0]}" for leak in probed.leaks[:3])
        ok, said = False, f"{len(probed.leaks)} of {count} probes show what they must not: {shown}"
    elif probed.failed:
        ok, said = None, f"{probed.failed} of {count} probes had no answer"
    else:
        ok, said = (True, f"{count} probes") if count else (None, "no question of the set names forbidden groups")
    return Check(name="acl leaks", ok=ok, value=float(len(probed.leaks)) if count else None, limit=0.0, message=said,
                 waived=not count)  # fmt: skip


def _ann(near: Neighbours, limits: Limits) -> Check:
    ok = None if near.recall is None else near.recall >= limits.ann_recall
    said = near.trouble or f"{near.asked} questions"
    return Check(name="ann recall", ok=ok, value=near.recall, limit=limits.ann_recall, message=said,
                 waived=limits.ann_waived)  # fmt: skip


def alarms(found: Sequence[Row], failed: int) -> tuple[Alarm, ...]:
    """What a person should look at."""
    count = len(found)
    made = []
    for name in ("overlap", "rbo"):
        seen = [getattr(row, name) for row in found if getattr(row, name) is not None]
        if seen and float(np.mean(seen)) < FLOOR:
            made.append(_alarm(name, float(np.mean(seen)), FLOOR, "the two generations answer very differently"))
    empty = [sum(one.empty for one in scores) / count for scores in _sides(found)]
    if len(empty) > 1 and empty[1] > empty[0] + MORE_EMPTY:
        made.append(_alarm("zero results", empty[1], empty[0] + MORE_EMPTY, "more questions find nothing at all"))
    verbatim = sum(f"tag={VERBATIM}" in row.slices for row in found) / count
    if verbatim > FLOOR:
        made.append(_alarm(VERBATIM, verbatim, FLOOR, "most questions copy their documents' words: easy by words"))
    if failed:
        made.append(_alarm("failed", float(failed), 0.0, "questions had no answer and are left out"))
    return tuple(made)


def verdict(gate: GateResult | None, made: Sequence[Check]) -> tuple[Verdict | None, str]:
    """One verdict: fail when anything fails, inconclusive when anything is open, else the gate's."""
    bad = [f"{one.name}: {one.message}" for one in made if one.ok is False]
    if gate is not None and gate.verdict is Verdict.FAIL:
        bad.insert(0, gate.reason)
    if bad:
        return Verdict.FAIL, "; ".join(bad)
    if gate is None:
        return None, "nothing to compare with: name a generation to compare against"
    left = [f"{one.name} not measured: {one.message}" for one in made if one.ok is None and not one.waived]
    if gate.verdict is Verdict.INCONCLUSIVE:
        left.insert(0, gate.reason)
    return (Verdict.INCONCLUSIVE, "; ".join(left)) if left else (Verdict.PASS, gate.reason)


def _alarm(name: str, value: float, floor: float, message: str) -> Alarm:
    return Alarm(name=name, value=value, floor=floor, message=message)


def _row(one: Asked) -> Row:
    new = one.answers[-1]
    made = Row(query=one.query.id, slices=tuple(slices(one.query)), new=score(one.query, new),
               seconds=tuple(answer.seconds for answer in one.answers))  # fmt: skip
    if len(one.answers) == 1:
        return made
    old = one.answers[0]
    first, second = ranking(one.query, old), ranking(one.query, new)
    return Row(
        query=made.query, slices=made.slices, new=made.new, seconds=made.seconds, old=score(one.query, old),
        overlap=metrics.overlap(first, second), rbo=metrics.rbo(first[: metrics.DEPTH], second[: metrics.DEPTH]),
    )  # fmt: skip


def _sides(found: Sequence[Row]) -> list[list[Scores]]:
    """Scores of the old generation where there is one, then of the new one."""
    old = [row.old for row in found if row.old is not None]
    return ([old] if old else []) + [[row.new for row in found]]


def _columns(scores: Sequence[Scores]) -> Mapping[str, Floats]:
    measures = [one.measures for one in scores]
    return {name: np.array([one[name] for one in measures]) for name in measures[0]}


def _measured(scores: Sequence[Scores], found: Sequence[Row]) -> Iterable[Measured]:
    columns = _columns(scores)
    for name, member in members(found).items():
        means = {measure: float(values[member].mean()) for measure, values in columns.items()}
        yield Measured(slice=name, queries=int(member.sum()), measures=means)


def _latency(seconds: Sequence[float], concurrency: int) -> Latency:
    p50, p95, p99 = (float(np.quantile(seconds, q, method="higher")) for q in (0.5, 0.95, 0.99))
    return Latency(p50=p50, p95=p95, p99=p99, concurrency=concurrency)
