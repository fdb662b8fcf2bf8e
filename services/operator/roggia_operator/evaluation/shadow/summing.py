"""From rows to a report: slices, alarms, what changed most. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from roggia_operator.evaluation.judging import FLOOR, MORE_EMPTY
from roggia_operator.evaluation.report.model import Alarm
from roggia_operator.evaluation.shadow.model import Between, Changed, Pair, Seen, ShadowReport, ShadowRow, ShadowSlice
from roggia_operator.evaluation.slices import EVERYTHING

MORE_ERRORS = 0.01
SLOWER = 1.5
"""Times the old generation's 95th percentile above which somebody should look."""


def report(rows: Sequence[ShadowRow], between: Between, created: str) -> ShadowReport:
    """The report of at least one row."""
    names = sorted({name for row in rows for name in row.slices}, key=lambda name: (name != EVERYTHING, name))
    slices = tuple(_slice(name, [row for row in rows if name in row.slices]) for name in names)
    return ShadowReport(
        created=created,
        between=between,
        slices=slices,
        alarms=tuple(_alarms(slices[0])),
        codes=_codes(rows),
        rows=tuple(rows),
    )


def most_changed(rows: Iterable[ShadowRow], most: int) -> list[Changed]:
    """Questions whose answers differ most, each once: new errors and lost answers first, then by RBO."""
    times, kept = Counter[str](), dict[str, ShadowRow]()
    for row in rows:
        times[row.query] += 1
        if _change(row) < _change(kept.get(row.query, row)) or row.query not in kept:
            kept[row.query] = row
    changed = [row for row in kept.values() if _change(row) < _SAME]
    chosen = sorted(changed, key=lambda row: (_change(row), -times[row.query], row.query))[:most]
    return [Changed(row, times[row.query]) for row in chosen]


_SAME = (2, 1.0)


def _change(row: ShadowRow) -> tuple[int, float]:
    """Less is worse: nothing where there was something, then how little is left of the order."""
    if row.old.documents and not row.new.documents:
        return (0, 0.0)
    return (1, row.rbo) if row.rbo is not None and row.rbo < 1 - 1e-9 else _SAME


def _slice(name: str, rows: Sequence[ShadowRow]) -> ShadowSlice:
    both = [row for row in rows if row.overlap is not None and row.rbo is not None]
    same = [row.old.documents[:1] == row.new.documents[:1] for row in both]
    return ShadowSlice(
        slice=name,
        queries=len(rows),
        compared=len(both),
        overlap=_mean([row.overlap for row in both if row.overlap is not None]),
        rbo=_mean([row.rbo for row in both if row.rbo is not None]),
        same_first=_mean(same),
        empty=Pair(*(_share(one.empty for one in side) for side in _sides(rows))),
        errors=Pair(*(_share(bool(one.error) for one in side) for side in _sides(rows))),
        p50_s=Pair(*(_quantile(side, 0.5) for side in _sides(rows))),
        p95_s=Pair(*(_quantile(side, 0.95) for side in _sides(rows))),
    )


def _sides(rows: Sequence[ShadowRow]) -> tuple[list[Seen], list[Seen]]:
    return [row.old for row in rows], [row.new for row in rows]


def _alarms(whole: ShadowSlice) -> Iterable[Alarm]:
    for name, value in (("overlap", whole.overlap), ("rbo", whole.rbo)):
        if value is not None and value < FLOOR:
            yield _alarm(name, value, FLOOR, "the two generations answer very differently: judge some of these answers")
    for name, pair, more, said in (
        ("zero results", whole.empty, MORE_EMPTY, "more questions find nothing at all"),
        ("errors", whole.errors, MORE_ERRORS, "more questions have no answer"),
    ):
        if pair.new > pair.old + more:
            yield _alarm(name, pair.new, pair.old + more, said)
    if whole.p95_s.new > SLOWER * whole.p95_s.old > 0:
        yield _alarm("p95 latency", whole.p95_s.new, SLOWER * whole.p95_s.old, "the new generation is slower (seconds)")


def _alarm(name: str, value: float, floor: float, message: str) -> Alarm:
    return Alarm(name=name, value=value, floor=floor, message=message)


def _codes(rows: Sequence[ShadowRow]) -> dict[str, Pair]:
    old, new = (Counter(one.error for one in side if one.error) for side in _sides(rows))
    return {code: Pair(old[code], new[code]) for code in sorted(old | new)}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _share(found: Iterable[bool]) -> float:
    return float(np.mean([*found]))


def _quantile(side: Sequence[Seen], level: float) -> float:
    """Of those that were answered; 0 where none was."""
    seconds = [one.seconds for one in side if not one.error]
    return float(np.quantile(seconds, level, method="higher")) if seconds else 0.0
