"""A comparison in the shadow as a run to be kept: its numbers by name, its JSON and its page. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roggia_operator.evaluation.ports import Run
from roggia_operator.evaluation.report.shadow_page import page
from roggia_operator.evaluation.shadow.model import ShadowReport, ShadowSlice, encode

KIND = "roggia.kind"
SHADOW = "shadow"


def run(report: ShadowReport, by: str) -> Run:
    """The run. It carries no verdict: it is shown beside the gate's reports, and is none."""
    between = report.between
    return Run(
        title=f"shadow of generation {between.generation} beside {between.against}",
        tags={
            KIND: SHADOW,
            "roggia.report": report.id,
            "roggia.generation": str(between.generation),
            "roggia.against": str(between.against),
            "roggia.source": between.source,
            "roggia.fingerprint": ",".join(between.models),
            "roggia.alarms": ",".join(one.name for one in report.alarms),
            "roggia.by": by,
        },
        metrics=dict(_metrics(report.whole)),
        files={"shadow.json": encode(report).decode(), "shadow.html": page(report)},
    )


def _metrics(whole: ShadowSlice) -> Iterator[tuple[str, float]]:
    yield "questions", float(whole.queries)
    for name, value in (("overlap@10", whole.overlap), ("rbo", whole.rbo), ("same first", whole.same_first)):
        if value is not None:
            yield name, value
    for name, pair in (
        ("zero results", whole.empty), ("errors", whole.errors), ("p50 seconds", whole.p50_s),
        ("p95 seconds", whole.p95_s),
    ):  # fmt: skip
        yield f"{name} old", pair.old
        yield f"{name} new", pair.new
