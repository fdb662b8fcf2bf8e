"""`roggia demo --reembed`: a second model, from the registry to readers and back, by the commands of operators."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from roggia_operator.evaluation.report.model import decode
from roggia_operator.generations.client import GenerationClient
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_schemas.events import GenerationState

from roggia.cli import eval_golden, generation, models
from roggia.cli.bars import bars
from roggia.cli.connected import codec_of
from roggia.cli.demo_stage import TARGET, heading, staged
from roggia.cli.eval import run as evaluate
from roggia.cli.generation_waiting import readers, until, watch
from roggia.cli.models_log import log
from roggia.cli.output import out, say
from roggia.cli.search import show_answer
from roggia.connection import Connection
from roggia.demo import corpus, reembed, story
from roggia.demo.second_model import second_model
from roggia.errors import StandaloneError, UsageError
from roggia.publishing.events import Source
from roggia.publishing.job import Job
from roggia.publishing.publisher import kafka_settings, open_publisher
from roggia.publishing.revision import RevisionClock
from roggia.query_client import QueryClient
from roggia.stack.data import DataDirectory, StackState

MODEL = "demo-embedder"
CHARS = 350_000
"""About 380 documents and 270 questions: fewer than 150 would decide nothing."""
SERVES_S = 120.0
"""Seconds from the alias to the cutover; the aliases are looked at every ten."""
READERS_S = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything of this demo is."""

    data: DataDirectory
    state: StackState
    report: Path

    @property
    def where(self) -> Connection:
        """The stack's addresses."""
        return Connection(self.state.kafka, self.state.registry, self.state.query)

    @property
    def models(self) -> str:
        """The model registry: a file, in SQLite."""
        return f"sqlite:///{self.data.registry_file}"


async def run(data: DataDirectory, chars: int, report: Path | None) -> None:
    """The demo from start to stop. Raises what did not hold."""
    if data.registry_file.exists():
        raise UsageError(f"--data: {data.root} holds models already; this demo wants a fresh directory")
    kept = report or Path(tempfile.mkdtemp(prefix="roggia-demo-report-"))
    await staged(data, lambda state: _tell(Place(data, state, kept), chars), last=10)
    out.print(f"\nThe gate's report: {kept / 'report.html'}", markup=False, soft_wrap=True)


async def _tell(place: Place, chars: int) -> None:
    texts = corpus.sections(corpus.gather(chars))
    async with _opened(place) as told:
        heading(f"2. Publish {len(texts)} documents: the sections of what `roggia demo` publishes")
        with bars(len(texts), "searchable") as shown:
            done, _ = await told.story.index(texts, shown)
        out.print(f"{done.documents} documents, {done.chunks} chunks, in {done.seconds:.0f} s.")
        heading(f"3. Ask: {story.QUESTION}")
        answer = await told.before()
        _show(answer)
        edited, deleted = reembed.chosen(texts, [one["doc_id"] for one in answer["citations"]])
        number = await _log(place, told, answer["model"])
        await _fill(told, number, edited, deleted)
        await _refused(place)
        await _gate(place, told, number)
        await _cut_over(place, told, number)
        await _back(place, told, number, edited)


@asynccontextmanager
async def _opened(place: Place) -> AsyncIterator[reembed.Migration]:
    where = place.where
    async with (
        open_publisher(where) as publisher,
        codec_of(where, "demo") as codec,
        GenerationClient(kafka_settings(where), codec) as client,
    ):
        told = story.Story(
            Job(publisher, TARGET, RevisionClock()), QueryClient(where.query), lambda _tracker, _sent: None
        )
        yield reembed.Migration(told, client, MlflowRegistry(place.models), MODEL)


async def _log(place: Place, told: reembed.Migration, first: str) -> int:
    heading("4. Log a second model, and make it candidate")
    out.print("It is the bundled model with its weights rounded to 16 bits: other vectors, another fingerprint.")
    from roggia_embedder.adapters.models.sentence_transformer import bundled_path

    folder = await asyncio.to_thread(second_model, bundled_path(), place.data.root)
    base = f"{TARGET.tenant}/{TARGET.domain}"
    _command(f"models log {MODEL} --path {folder.name} --select {base}")
    await asyncio.to_thread(log, MODEL, path=folder, select=[base], uri=place.models, data=place.data.root)
    version = await asyncio.to_thread(told.logged, first)
    _command(f"models promote {MODEL} {version.version}")
    await asyncio.to_thread(models.promote, MODEL, version.version, uri=place.models, data=place.data.root)
    number = await told.planned()
    out.print(f"The operator service saw the alias and planned generation {number}.")
    return number


async def _fill(told: reembed.Migration, number: int, edited: Source, deleted: Source) -> None:
    heading(f"5. Generation {number} fills from the log, while a document is edited and another one deleted")
    _command(f"generation show {number} --watch")
    filling = asyncio.create_task(watch(told.client, number, json=False))
    try:
        _tell_change("edited", await told.edit(edited, number), number)
        _tell_change("deleted", await told.delete(deleted, number), number)
        pair = await filling
    finally:
        filling.cancel()
    await told.caught_up(edited, deleted, number)
    proof = pair.side.history[-1].evidence.get(f"parity g{number}", pair.side.message)
    out.print(f"Filled: {proof}. It holds the edit, and not what was deleted; readers are on generation 1.")


def _tell_change(what: str, changed: reembed.Changed, number: int) -> None:
    state = f"{changed.done:.0%} filled" if changed.state is GenerationState.FILLING else changed.state.value
    out.print(
        f"{changed.doc_id}: {what}, seen by readers after {changed.seconds:.1f} s (generation {number}: {state}).",
        markup=False,
    )


async def _refused(place: Place) -> None:
    heading("6. Champion without a gate: refused")
    _command(f"models promote {MODEL} 1 --to champion")
    try:
        await asyncio.to_thread(models.promote, MODEL, 1, to="champion", uri=place.models, data=place.data.root)
    except StandaloneError as refused:
        out.print(str(refused), markup=False, soft_wrap=True)
        return
    story.check(False, "a model that no gate has judged cannot be champion", "it can")


async def _gate(place: Place, told: reembed.Migration, number: int) -> None:
    heading("7. Known items made from the corpus, asked of both generations")
    golden, old = place.data.root / "known.jsonl", told.client.baseline
    where = place.where
    _command(f"eval known-items --id demo --out {golden.name}")
    await asyncio.to_thread(
        eval_golden.known_items, golden, name="demo", tenant=TARGET.tenant, domain=TARGET.domain,
        data=place.data.root, bootstrap=where.kafka, registry=where.registry,
    )  # fmt: skip
    _command(
        f"eval run --golden {golden.name} --generation {number} --against {old} --model {MODEL}/1 --out {place.report}"
    )
    await _judged(partial(
        evaluate, golden=golden, generation=number, against=old, out=place.report, model=f"{MODEL}/1",
        models_uri=place.models, data=place.data.root, query_url=where.query,
    ))  # fmt: skip
    await asyncio.to_thread(told.gated, decode((place.report / "report.json").read_bytes()))


async def _judged(evaluation: Callable[[], None]) -> None:
    """Evaluate; a verdict that is no pass is read from its report."""
    try:
        await asyncio.to_thread(evaluation)
    except typer.Exit as verdict:
        say(f"exit status {verdict.exit_code}")


async def _cut_over(place: Place, told: reembed.Migration, number: int) -> None:
    heading("8. Champion: readers are switched, and the same question is asked")
    _command(f"models promote {MODEL} 1 --to champion")
    await asyncio.to_thread(models.promote, MODEL, 1, to="champion", uri=place.models, data=place.data.root)
    pair, table = await until(told.client, number, GenerationState.LIVE, SERVES_S)
    late = await readers(place.state.query, table, told.client.baseline, READERS_S)
    story.check(not late, "every reader follows a cutover", ", ".join(late))
    for name, value in sorted(pair.side.history[-1].evidence.items()):
        out.print(f"  rests on {name}: {value}", markup=False, soft_wrap=True)
    version = await asyncio.to_thread(told.logged, "")
    _show(await told.served(version, number))


async def _back(place: Place, told: reembed.Migration, number: int, edited: Source) -> None:
    heading("9. One more edit, then back to the model from before")
    await told.edit_later(edited, number)
    out.print(f"{edited.doc_id}: edited, and found in generation {number}.", markup=False)
    where = place.where
    _command('generation rollback --why "the demo goes back"')
    await asyncio.to_thread(
        generation.rollback, 0, why="the demo goes back", data=place.data.root, bootstrap=where.kafka,
        registry=where.registry, query_url=where.query,
    )  # fmt: skip
    _show(await told.back(edited, number))
    out.print("The edit from in between is found here too: this generation has followed the log all the time.")


def _show(answer: dict[str, Any]) -> None:
    show_answer(answer)
    told = f"Generation {answer['generation']}, {answer['collection']}, {answer['model']}"
    out.print(f"[dim]{escape(told)}[/dim]", soft_wrap=True)


def _command(line: str) -> None:
    out.print(f"[dim]$ roggia {escape(line)}[/dim]", soft_wrap=True)


NEXT = """
Where to go next
  docs/how-to/models.md                              register models, and bring them into service
  docs/how-to/evaluate.md                            what the gate asks, and what its numbers mean
  docs/how-to/generations.md                         every state, and what to do when one does not go on"""
