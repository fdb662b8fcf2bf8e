"""How findings, summaries and repairs look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

import msgspec
from rich.markup import escape
from roggia_operator.repair.plan import RepairPlan
from roggia_runtime.findings import Finding, Mark, Progress, Summary

from roggia.cli.output import counted, emit_line, folding, out, progress

SHOWN = 50
_UNITS = {"log": "records", "index": "points", "compare": "slices", "recheck": "documents"}
_LABELS = {"log": "reading the log", "index": "reading the index", "compare": "comparing", "recheck": "looking again"}


class Moves(Protocol):
    """What moves a bar."""

    def __call__(self, told: Progress) -> None:
        """Show how far it is."""


@contextmanager
def bar(*, hidden: bool) -> Iterator[Moves]:
    """One bar on standard error, a line per phase."""
    shown = progress("")
    tasks = {}

    def move(told: Progress) -> None:
        if told.phase not in tasks:
            tasks[told.phase] = shown.add_task(_LABELS.get(told.phase, told.phase), rate=_UNITS.get(told.phase, ""))
        shown.update(tasks[told.phase], completed=told.done, total=told.total)

    with nullcontext() if hidden else shown:
        yield move


def plain(message: Finding | Summary) -> dict[str, Any]:
    """A finding or summary for scripts."""
    return msgspec.to_builtins(message)  # type: ignore[no-any-return]


def show(findings: Sequence[Finding], summary: Summary, *, json: bool) -> None:
    """Findings, then what was checked."""
    if json:
        for finding in findings:
            emit_line(plain(finding))
        emit_line(plain(summary) | {"clean": summary.clean})
        return
    if findings:
        _show_findings(findings)
    _show_summary(summary)


def _show_findings(findings: Sequence[Finding]) -> None:
    table = folding("finding", "collection", "document", "point", "log", "index", "detail", "repair")
    for one in findings[:SHOWN]:
        what = f"{'head' if one.head else 'passage'} {one.point_id}"
        row = (one.kind.value, one.collection, one.doc_id, what, _version(one.expected), _version(one.found),
               one.detail, one.repair.value)  # fmt: skip
        table.add_row(*map(escape, row))
    out.print(table)
    if len(findings) > SHOWN:
        out.print(f"… and {counted(len(findings) - SHOWN, 'more finding')}; --json prints them all")


def _show_summary(summary: Summary) -> None:
    checked = f"{counted(summary.documents, 'document')}, {counted(summary.chunks, 'chunk')}"
    held = f"{counted(summary.points, 'point')} in {counted(len(summary.collections), 'collection')}"
    out.print(f"Checked {checked} of {summary.chunked} against {held}, {summary.seconds:.1f} s", markup=False)
    if summary.clean:
        out.print("The index is what the log says.")
    for kind, number in summary.findings.items():
        out.print(f"  {kind}: {number:,}", markup=False)
    if summary.pending:
        out.print(f"{counted(summary.pending, 'document')} could not be judged: on the way; try again later")
    if summary.unreadable:
        out.print(f"{counted(summary.unreadable, 'record')} of the log could not be read; embed refused them too")


def show_plan(plan: RepairPlan) -> None:
    """What a repair would do, and what it could not."""
    renewed, deleted = (counted(len(part), "document") for part in (plan.renewals, plan.deletions))
    out.print(f"Repair: renew {renewed} by a replay of doc.changed; delete {deleted} that should not be there")
    for remedy, number in Counter(finding.remedy for finding in plan.beyond).most_common():
        out.print(f"  beyond repair ({counted(number, 'finding')}): {remedy}", markup=False)


def _version(mark: Mark | None) -> str:
    return f"{mark.revision}.{mark.epoch}" if mark else "–"


def kinds(findings: Iterable[Finding]) -> dict[str, int]:
    """Findings by kind."""
    return dict(sorted(Counter(finding.kind.value for finding in findings).items()))
