"""`roggia eval shadow`: what would another generation have answered?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from roggia_operator.evaluation.adapters.query_api import QueryApi
from roggia_operator.evaluation.adapters.topics import KafkaServed, KafkaShadowed
from roggia_operator.evaluation.asking import Depth
from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.golden.model import GoldenQuery
from roggia_operator.evaluation.shadow import recorded, summing, watched
from roggia_operator.evaluation.shadow.model import Between, ShadowReport, encode
from roggia_operator.evaluation.shadow.replaying import replay
from roggia_operator.times import moment
from roggia_runtime.clock import now_ms

from roggia.cli import options
from roggia.cli.asking import somebody
from roggia.cli.connected import codec_of
from roggia.cli.eval_views import now, show_shadow
from roggia.cli.models_opened import ModelsUri, address
from roggia.cli.output import emit, say
from roggia.connection import Connection, Named, resolve
from roggia.errors import UsageError
from roggia.publishing.publisher import kafka_settings

_RECORDED, _FILE = "recorded", "file"


def shadow(
    generation: Annotated[int, typer.Option("--generation", min=1, help="Generation to look at.")],
    against: Annotated[
        int,
        typer.Option("--against", min=0, help="Generation to compare with; 0: the one that answered users, live only."),
    ] = 0,
    queries: Annotated[
        Path | None,
        typer.Option("--queries", help="Ask again: JSONL with query, tenant, domain and, if known, groups."),
    ] = None,
    recorded_: Annotated[
        bool, typer.Option("--recorded", help="Ask again: searches on retrieval.served that have their text.")
    ] = False,
    group: Annotated[
        list[str] | None, typer.Option("--group", help="Ask --recorded as this group; repeatable (default: as nobody).")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="Live: only what was asked since then: 24h, or a date.")] = "",
    tenant: Annotated[str, typer.Option("--tenant", help="Only this tenant's questions, live or recorded.")] = "",
    most: Annotated[int, typer.Option("--most", min=1, help="Questions to ask again at most.")] = 1_000,
    mode: Annotated[str, typer.Option("--mode", help="Asked again: hybrid, dense or lexical.")] = "hybrid",
    k: Annotated[int, typer.Option("-k", min=10, max=100, help="Asked again: passages to ask for.")] = 20,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=256, help="Questions at a time.")] = 4,
    text: Annotated[
        bool, typer.Option("--text", help="Put questions' texts into the report, where known: people's own words.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write shadow.json and shadow.html into this directory.")
    ] = None,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Keep the report as a run in MLflow.")] = False,
    uri: ModelsUri = "",
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    query_url: options.QueryUrl = "",
    json: options.Json = False,
) -> None:
    """Compare what two generations answer to the same questions: from the shadow of live searches, or asked again.

    Shows what changes, not what is better: alarms ask somebody to look, and the exit status is 0 with them too.
    """
    depth = Depth(k=k, mode=mode, concurrency=concurrency)
    if queries is None and not recorded_:
        wanted = watched.Wanted(generation, against, moment("--since", since, now_ms()) if since else 0, tenant)
        report = asyncio.run(_live(resolve(Named(data, bootstrap, registry)), wanted, text))
    else:
        pair = _pair(against, generation, queries, recorded_)
        questions = (
            recorded.read(queries, most)
            if queries is not None
            else asyncio.run(_recorded(resolve(Named(data, bootstrap, registry)), group or [], most, tenant))
        )
        url = resolve(Named(data, query=query_url), need="query").query
        report = asyncio.run(_again(url, questions, pair, depth, _FILE if queries else _RECORDED, text))
    if out is not None:
        _write(out, report)
    kept = _keep(report, uri, data) if mlflow else ""
    if json:
        emit(_brief(report) | {"run": kept})
    else:
        show_shadow(report)


def _pair(against: int, generation: int, queries: Path | None, from_log: bool) -> tuple[int, int]:
    if queries is not None and from_log:
        raise UsageError("--recorded: give it or --queries, not both")
    if not against:
        raise UsageError("--against: name the generation to compare with; `roggia generation list` shows which serves")
    if against == generation:
        raise UsageError(f"--against: {against} is the generation itself; name another")
    return against, generation


async def _live(where: Connection, wanted: watched.Wanted, text: bool) -> ShadowReport:
    async with codec_of(where, "eval") as codec:
        events = [event async for event in KafkaShadowed(kafka_settings(where), codec).events() if wanted.takes(event)]
    rows, between = watched.rows(events, wanted, with_text=text)
    return summing.report(rows, between, now())


async def _recorded(where: Connection, groups: Sequence[str], most: int, tenant: str) -> list[GoldenQuery]:
    async with codec_of(where, "eval") as codec:
        searches = await KafkaServed(kafka_settings(where), codec).searches()
    found = recorded.of_served(searches.values(), tuple(groups), most, tenant)
    if not found:
        raise EvaluationError(
            "retrieval.served holds no search with its text; name tenants that agree in "
            "ROGGIA_QUERY__TENANTS_WITH_QUERY_TEXT, or give a file: --queries"
        )
    return found


async def _again(
    url: str, questions: Sequence[GoldenQuery], pair: tuple[int, int], depth: Depth, source: str, text: bool
) -> ShadowReport:
    async with QueryApi(url) as ask:
        done = await replay(ask, questions, pair, depth, with_text=text)
    between = Between(
        generation=pair[1], against=pair[0], source=source, models=done.models[1], models_against=done.models[0]
    )
    return summing.report(done.rows, between, now())


def _write(folder: Path, report: ShadowReport) -> None:
    from roggia_operator.evaluation.report.shadow_page import page  # needs Jinja, which a command line does without

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shadow.json").write_bytes(encode(report))
    (folder / "shadow.html").write_text(page(report), "utf-8")
    say(f"wrote {folder / 'shadow.json'} and {folder / 'shadow.html'}, report {report.id[:12]}")


def _keep(report: ShadowReport, uri: str, data: Path | None) -> str:
    from roggia_operator.evaluation.adapters.mlflow_runs import EXPERIMENT, MlflowRuns
    from roggia_operator.evaluation.shadow.filing import run

    kept = MlflowRuns(address(uri, data)).file(run(report, somebody()))
    say(f"run {kept} in MLflow's experiment {EXPERIMENT}")
    return kept


def _brief(report: ShadowReport) -> dict[str, object]:
    """Everything but the single questions, and the report's id."""
    plain: dict[str, object] = msgspec.to_builtins(report)
    del plain["rows"]
    return {"report": report.id} | plain
