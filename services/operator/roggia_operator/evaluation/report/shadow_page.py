"""A comparison in the shadow as one HTML page that needs nothing else: no script, no font, no other host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from roggia_operator.evaluation.report import plots, shadow_plots
from roggia_operator.evaluation.report.page import environment
from roggia_operator.evaluation.shadow.model import Seen, ShadowReport
from roggia_operator.evaluation.shadow.summing import most_changed

_MOST_CHANGED = 20
_MOST_SLICES = 24
"""Slices that pictures show: the largest. The table has all of them."""


_SOURCES = {
    "live": "what people asked, a sample of it, as it came",
    "recorded": "searches recorded on retrieval.served with their text, asked again",
    "file": "a file of recorded questions, asked again",
}


def page(report: ShadowReport) -> str:
    """The page. Questions appear by their ids, and with their text only if the report has it."""
    return environment().get_template("shadow.html").render(report=report, **_shown(report))


def _shown(report: ShadowReport) -> dict[str, Any]:
    between, rows = report.between, report.rows
    names = (f"generation {between.against}", f"generation {between.generation}")
    both = [(row.overlap, row.rbo) for row in rows if row.overlap is not None and row.rbo is not None]
    slices = sorted(report.slices[1:], key=lambda one: -one.queries)[: _MOST_SLICES - 1]
    drawn = [report.slices[0], *sorted(slices, key=lambda one: one.slice)]
    return {
        "names": names,
        "sources": _SOURCES,
        "whole": report.slices[0],
        "latency": _latency(names, [row.old for row in rows], [row.new for row in rows]),
        "overlap": shadow_plots.agreement("overlap", "Overlap of the first ten documents", [o for o, _ in both]),
        "rbo": shadow_plots.agreement("rbo", "Rank-biased overlap", [r for _, r in both]),
        "by_slice": shadow_plots.by_slice(drawn),
        "nothing": shadow_plots.nothing_found(drawn, names),
        "changed": most_changed(rows, _MOST_CHANGED),
    }


def _latency(names: tuple[str, str], old: Sequence[Seen], new: Sequence[Seen]) -> Markup | None:
    timed = [[one.seconds for one in side if not one.error] for side in (old, new)]
    return plots.latency(list(zip(names, timed, strict=True))) if all(timed) else None
