"""The gate: is the new generation not worse than the old one, by a margin, on the same questions? Pure.

Three verdicts. For every measure and the whole set, with one-sided 95 % bounds of the mean difference new - old:
pass, the lower bound is above minus the margin: it is shown not to be worse; fail, the upper bound is below minus the
margin: it is shown to be worse; inconclusive, neither: more queries are needed, and the result says how many. Every
measure has to pass (an intersection-union test: no correction is due, Berger 1982). A slice fails when it is shown to
be worse than its own margin after Holm's correction over all slices and measures, and takes the whole with it; a slice
in which nothing can be shown is reported, and holds up nothing unless it is required.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.slices import EVERYTHING
from roggia_operator.evaluation.statistics import bootstrap, holm, power
from roggia_operator.evaluation.statistics.bootstrap import Floats
from roggia_operator.evaluation.verdict import GATED, Compared, GateResult, GateSettings, Verdict

Scores: TypeAlias = Mapping[str, Floats]
"""By measure, one number in 0..1 per question, always in the same order."""
Members: TypeAlias = Mapping[str, NDArray[np.bool_]]
"""By slice, which questions are in it; `EVERYTHING` is one of them."""


def judge(old: Scores, new: Scores, slices: Members, settings: GateSettings | None = None) -> GateResult:
    """Judge one pair of generations. Raises `EvaluationError` for scores that do not pair."""
    return judge_all([(old, new)], slices, settings)[0]


def judge_all(
    sets: Sequence[tuple[Scores, Scores]], slices: Members, settings: GateSettings | None = None
) -> list[GateResult]:
    """Judge several pairs of old and new scores on the same slices, each as `judge` would: for calibration."""
    settings = settings or GateSettings()
    names = [EVERYTHING, *sorted(name for name in slices if _tested(name, slices[name], settings))]
    pairs = [(name, measure) for name in names for measure in GATED]
    for old, new in sets:
        _check(old, new, len(slices[EVERYTHING]))
    member = np.column_stack([slices[name].astype(np.float64) for name, _ in pairs])
    values = np.stack([np.column_stack([new[m] - old[m] for _, m in pairs]) for old, new in sets], axis=1)
    drawn = bootstrap.resample(values, member, resamples=settings.resamples, seed=settings.seed)
    bounds = _bounds(pairs, drawn, settings)
    return [_result(_compare(pairs, scores, slices, bounds[at], settings), settings) for at, scores in enumerate(sets)]


def verdicts(low: Floats, high: Floats, margin: float) -> NDArray[np.str_]:
    """The verdict by bounds alone, for arrays of them."""
    return np.where(low > -margin, Verdict.PASS.value, np.where(high < -margin, Verdict.FAIL, Verdict.INCONCLUSIVE))


def _tested(name: str, member: NDArray[np.bool_], settings: GateSettings) -> bool:
    # A slice that holds every question says nothing new: it is left out, unless somebody asked for it by name.
    own = name in settings.required or not bool(member.all())
    return name != EVERYTHING and own and int(member.sum()) >= settings.least_slice


def _check(old: Scores, new: Scores, count: int) -> None:
    for measure in GATED:
        for scores in (old[measure], new[measure]):
            if len(scores) != count or not np.all((scores >= 0) & (scores <= 1)):
                raise EvaluationError(
                    f"{measure}: {len(scores)} scores for {count} questions; give one in 0..1 for each"
                )


def _bounds(pairs: Sequence[tuple[str, str]], drawn: bootstrap.Resampled, settings: GateSettings) -> Floats:
    """By set and pair: lower bound, upper bound, p value of harm (of slices after Holm)."""
    whole = np.array([name == EVERYTHING for name, _ in pairs])
    harm = np.where(whole, drawn.harm(settings.margin), drawn.harm(settings.slice_margin))
    for row in harm:
        row[~whole] = holm.adjusted(row[~whole])
    return np.stack([drawn.low(settings.alpha), drawn.high(settings.alpha), harm], axis=-1)


def _compare(
    pairs: Sequence[tuple[str, str]],
    scores: tuple[Scores, Scores],
    slices: Members,
    bounds: Floats,
    settings: GateSettings,
) -> list[Compared]:
    return [
        _one(pair, scores, slices[pair[0]], (float(low), float(high), float(harm)), settings)
        for pair, (low, high, harm) in zip(pairs, bounds, strict=True)
    ]


def _one(
    pair: tuple[str, str],
    scores: tuple[Scores, Scores],
    member: NDArray[np.bool_],
    bounds: tuple[float, float, float],
    settings: GateSettings,
) -> Compared:
    name, measure = pair
    old, new = scores[0][measure][member], scores[1][measure][member]
    low, high, harm = bounds
    margin = settings.margin if name == EVERYTHING else settings.slice_margin
    seen, count = float((new - old).mean()), len(old)
    sd = float((new - old).std(ddof=1)) if count > 1 else 0.0
    planned = power.spread(sd, count)
    return Compared(
        slice=name, measure=measure, verdict=_verdict(name, bounds, count, margin, settings), queries=count,
        old=float(old.mean()), new=float(new.mean()), difference=seen, low=low, high=high, sd=sd, harm=harm,
        needed_if_equal=power.needed(planned, margin, alpha=settings.alpha),
        needed_as_seen=power.needed(planned, abs(seen + margin), alpha=settings.alpha),
    )  # fmt: skip


def _verdict(
    name: str, bounds: tuple[float, float, float], count: int, margin: float, settings: GateSettings
) -> Verdict:
    low, high, harm = bounds
    if name == EVERYTHING:
        if count < settings.least_queries:
            return Verdict.INCONCLUSIVE
        return Verdict(str(verdicts(np.array(low), np.array(high), margin)))
    if harm <= settings.alpha:
        return Verdict.FAIL
    return Verdict.PASS if low > -margin else Verdict.INCONCLUSIVE


def _result(compared: Sequence[Compared], settings: GateSettings) -> GateResult:
    verdict, reason = _weighed(compared, settings)
    return GateResult(verdict=verdict, reason=reason, compared=tuple(compared))


def _weighed(compared: Sequence[Compared], settings: GateSettings) -> tuple[Verdict, str]:
    worse = [one for one in compared if one.verdict is Verdict.FAIL]
    if worse and compared[0].queries >= settings.least_queries:
        return Verdict.FAIL, "worse than the margin: " + ", ".join(map(_said, worse))
    tested = {one.slice for one in compared}
    absent = [name for name in settings.required if name not in tested]
    if absent:
        return (
            Verdict.INCONCLUSIVE,
            f"required slices with fewer than {settings.least_slice} queries: {', '.join(absent)}",
        )
    asked = {EVERYTHING, *settings.required}
    open_ = [one for one in compared if one.slice in asked and one.verdict is Verdict.INCONCLUSIVE]
    if open_:
        return Verdict.INCONCLUSIVE, "; ".join(map(_lacking, open_))
    return Verdict.PASS, "not worse than the margin: " + ", ".join(map(_said, compared[: len(GATED)]))


def _said(one: Compared) -> str:
    return f"{one.measure} on {one.slice} {one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})"


def _lacking(one: Compared) -> str:
    equal, seen = (_about(number) for number in (one.needed_if_equal, one.needed_as_seen))
    wanted = f"{equal} if the two are equal, {seen} if they differ as seen"
    return f"{_said(one)}: {one.queries} queries decide nothing; it takes {wanted}"


def _about(number: int | None) -> str:
    return "more than can be had" if number is None else f"about {number:,}"
