"""`roggia eval`: golden sets, corpus manifests, evaluations of index generations, the shadow, watches over drift."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from roggia_operator.evaluation import running
from roggia_operator.evaluation.adapters.query_api import QueryApi
from roggia_operator.evaluation.asking import Depth
from roggia_operator.evaluation.drift.precision import precision
from roggia_operator.evaluation.golden.model import GoldenSet
from roggia_operator.evaluation.golden.reading import read
from roggia_operator.evaluation.judging import Limits
from roggia_operator.evaluation.report.model import Report, encode
from roggia_operator.evaluation.running import Wanted
from roggia_operator.evaluation.verdict import GateSettings, Verdict

from roggia.cli import eval_drift, eval_golden, eval_shadow, options
from roggia.cli.eval_filing import ModelName, filed
from roggia.cli.eval_views import now, show, show_triggers
from roggia.cli.models_opened import ModelsUri
from roggia.cli.output import emit, say
from roggia.connection import Named, resolve
from roggia.errors import StandaloneError

INCONCLUSIVE = 9
"""Exit status of an evaluation that shows neither: more questions, or a probe, are needed."""
app = typer.Typer(
    no_args_is_help=True, help="Is a generation as good as another? Golden sets, the gate, the shadow, drift."
)
app.command("known-items")(eval_golden.known_items)
app.command("clicks")(eval_golden.clicks)
app.command("check")(eval_golden.check)
app.command("manifest")(eval_golden.manifest)
app.command("drift")(eval_drift.drift)
app.command("shadow")(eval_shadow.shadow)


@app.command("run")
def run(
    golden: Annotated[Path, typer.Option("--golden", exists=True, dir_okay=False, help="Golden set, a JSONL file.")],
    generation: Annotated[int, typer.Option("--generation", min=1, help="Generation to evaluate.")],
    against: Annotated[
        int, typer.Option("--against", min=0, help="Generation to compare with; 0: only measure, no verdict.")
    ] = 0,
    margin: Annotated[
        float, typer.Option("--margin", min=0.001, max=1, help="Loss of MRR and nDCG put up with.")
    ] = 0.03,
    slice_margin: Annotated[
        float, typer.Option("--slice-margin", min=0.001, max=1, help="The same of a slice.")
    ] = 0.05,
    required: Annotated[
        list[str] | None, typer.Option("--require", help="Slice that has to pass by itself; repeatable.")
    ] = None,
    p95_ms: Annotated[float, typer.Option("--p95-ms", min=0, help="Most latency, milliseconds; 0: no limit.")] = 0.0,
    objective: Annotated[
        float, typer.Option("--objective", min=0, max=1, help="Objective of precision@5; 0: none. Missed: plan.")
    ] = 0.0,
    ann_sample: Annotated[
        int,
        typer.Option("--ann-sample", min=0, help="Questions of the ANN recall probe; 0 leaves it out, on the record."),
    ] = 100,
    mode: Annotated[str, typer.Option("--mode", help="hybrid, dense or lexical.")] = "hybrid",
    k: Annotated[int, typer.Option("-k", min=10, max=100, help="Passages to ask for.")] = 50,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=256, help="Questions at a time.")] = 8,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write report.json and report.html into this directory.")
    ] = None,
    model: ModelName = "",
    models_uri: ModelsUri = "",
    data: options.Data = None,
    query_url: options.QueryUrl = "",
    json: options.Json = False,
) -> None:
    """Ask a golden set's questions of a generation, and judge it. Exit status: 1 fail, 9 inconclusive.

    Both generations are asked side by side through the query API; nothing that users see changes.
    """
    wanted = Wanted(
        generation=generation,
        against=against or None,
        depth=Depth(k=k, mode=mode, concurrency=concurrency),
        gate=GateSettings(margin=margin, slice_margin=slice_margin, required=tuple(required or ())),
        limits=Limits(p95_s=p95_ms / 1000 or None, ann_waived=not ann_sample),
        ann_sample=ann_sample,
    )
    file = filed(model, models_uri, data) if model else None
    questions = read(golden)
    report = asyncio.run(_run(resolve(Named(data, query=query_url), need="query").query, questions, wanted))
    if out is not None:
        _write(out, report)
    if file is not None:
        file(report)
    trigger = precision([row.new.precision for row in report.rows], objective) if objective else None
    if json:
        emit(_brief(report) | {"trigger": msgspec.to_builtins(trigger)})
    else:
        show(report)
        show_triggers([trigger] if trigger else [])
    if report.verdict not in (None, Verdict.PASS):
        raise typer.Exit(StandaloneError.exit_code if report.verdict is Verdict.FAIL else INCONCLUSIVE)


async def _run(url: str, questions: GoldenSet, wanted: Wanted) -> Report:
    async with QueryApi(url) as ask:
        return await running.run(ask, questions, wanted, now())


def _write(folder: Path, report: Report) -> None:
    from roggia_operator.evaluation.report.page import page  # needs Jinja, which a command line alone does without

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(encode(report))
    (folder / "report.html").write_text(page(report), "utf-8")
    say(f"wrote {folder / 'report.json'} and {folder / 'report.html'}, report {report.id[:12]}")


def _brief(report: Report) -> dict[str, object]:
    """Everything but the single questions, and the report's id."""
    plain: dict[str, object] = msgspec.to_builtins(report)
    del plain["rows"]
    return {"report": report.id} | plain
