"""How evaluations look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.markup import escape
from roggia_operator.evaluation.drift.trigger import Trigger
from roggia_operator.evaluation.report.model import Check, Report
from roggia_operator.evaluation.shadow.model import ShadowReport
from roggia_operator.evaluation.verdict import Compared

from roggia.cli.output import counted, folding, out

_STATES = {True: "pass", False: "fail", None: "not measured"}


def now() -> str:
    """The time in UTC, as files and reports carry it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def show(report: Report) -> None:
    """The verdict, then its evidence."""
    out.print(f"{(report.verdict or 'measured').upper()}: {report.reason}", markup=False)
    if report.gate is not None:
        _compared(report.gate.compared)
    else:
        _measured(report)
    for check in report.checks:
        out.print(f"  {check.name}: {_state(check)}, {check.message}", markup=False)
    for alarm in report.alarms:
        out.print(f"  alarm {alarm.name} {alarm.value:.3f}: {alarm.message}", markup=False)
    for side in filter(None, (report.against, report.generation)):
        p95 = side.latency.p95 * 1000
        out.print(f"  generation {side.generation}: p95 {p95:.0f} ms, {', '.join(side.models)}", markup=False)
    asked = counted(report.golden.queries, "question")
    out.print(f"Golden set {report.golden.id} {report.golden.version}, {asked}, {report.failed} failed", markup=False)


def show_triggers(found: Iterable[Trigger]) -> None:
    """One line a watch: PLAN is a reason to plan a generation."""
    for one in found:
        out.print(f"{'PLAN' if one.fired else 'quiet'}  {one.reason}", markup=False)


def show_shadow(report: ShadowReport) -> None:
    """What changes, by slice; then alarms. No verdict: there is none."""
    between, whole = report.between, report.whole
    out.print(
        f"generation {between.generation} beside {between.against}: {counted(whole.queries, 'question')}, "
        f"{between.source}",
        markup=False,
    )
    table = folding("slice", "questions", "overlap", "rbo", "same first", "nothing old", "new", "p95 old", "new")
    for one in report.slices:
        agree = [_number(value) for value in (one.overlap, one.rbo, one.same_first)]
        empty, p95 = ([f"{x:.1%}" for x in one.empty], [f"{x * 1000:.0f} ms" for x in one.p95_s])
        table.add_row(escape(one.slice), str(one.queries), *agree, *empty, *p95)
    out.print(table)
    for code, pair in report.codes.items():
        out.print(f"  no answer, {code}: {pair.old:.0f} and {pair.new:.0f}", markup=False)
    for alarm in report.alarms:
        out.print(f"  alarm {alarm.name} {alarm.value:.3f}: {alarm.message}", markup=False)
    if between.note:
        out.print(f"  {between.note}", markup=False)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _compared(found: Iterable[Compared]) -> None:
    table = folding("slice", "measure", "verdict", "queries", "old", "new", "difference", "interval", "needed")
    for one in found:
        interval = f"{one.low:+.3f} to {one.high:+.3f}"
        row = (one.slice, one.measure, one.verdict.value, str(one.queries), f"{one.old:.3f}", f"{one.new:.3f}",
               f"{one.difference:+.3f}", interval, str(one.needed_if_equal))  # fmt: skip
        table.add_row(*map(escape, row))
    out.print(table)


def _measured(report: Report) -> None:
    names = list(report.generation.slices[0].measures)
    table = folding("slice", "queries", *names)
    for one in report.generation.slices:
        table.add_row(escape(one.slice), str(one.queries), *(f"{one.measures[name]:.3f}" for name in names))
    out.print(table)


def _state(check: Check) -> str:
    return "waived" if check.ok is None and check.waived else _STATES[check.ok]
