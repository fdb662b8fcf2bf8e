"""The report as one HTML page that needs nothing else: no script, no font, no other host."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from roggia_operator.evaluation.report import plots
from roggia_operator.evaluation.report.model import Report, Row
from roggia_operator.evaluation.verdict import GATED

_WORST = 20


def page(report: Report) -> str:
    """The page. Questions appear by their ids alone, as in the report."""
    return environment().get_template("report.html").render(report=report, **_shown(report))


def environment() -> Environment:
    """What renders the pages of reports."""
    made = Environment(
        loader=PackageLoader("roggia_operator.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["signed"] = lambda value: f"{value:+.3f}"
    made.filters["share"] = lambda value: f"{value:.3f}"
    made.filters["maybe"] = lambda value: "–" if value is None else f"{value:.3f}"
    made.filters["portion"] = lambda value: "–" if value is None else f"{value:.1%}"
    made.filters["ms"] = lambda seconds: f"{seconds * 1000:.0f} ms"
    return made


def _shown(report: Report) -> dict[str, Any]:
    sides = [side for side in (report.against, report.generation) if side is not None]
    names = [f"generation {side.generation}" for side in sides]
    seconds = [[row.seconds[at] for row in report.rows] for at in range(len(sides))]
    return {
        "sides": sides,
        "latency": plots.latency(list(zip(names, seconds, strict=True))),
        "differences": _differences(report),
        "distribution": _distribution(report),
        "worst": sorted((row for row in report.rows if _change(row) < 0), key=_change)[:_WORST],
    }


def _differences(report: Report) -> list[tuple[str, Any]]:
    if report.gate is None:
        return []
    by_measure = [[one for one in report.gate.compared if one.measure == measure] for measure in GATED]
    return [(compared[0].measure, plots.differences(compared, report.settings)) for compared in by_measure]


def _distribution(report: Report) -> Any:
    paired = [_change(row) for row in report.rows if row.old is not None]
    return plots.distribution(paired, GATED[0]) if paired else None


def _change(row: Row) -> float:
    return row.new.mrr - row.old.mrr if row.old is not None else 0.0
