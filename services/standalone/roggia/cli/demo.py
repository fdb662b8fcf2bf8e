"""`roggia demo`: from nothing to a cited answer, on this machine, in a minute or two; `--reembed`: another model."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from roggia.cli import demo_reembed
from roggia.cli.bars import bars
from roggia.cli.demo_stage import TARGET, directory, heading, staged
from roggia.cli.output import out
from roggia.cli.search import show_answer
from roggia.connection import Connection
from roggia.demo import corpus, story
from roggia.publishing.job import Job
from roggia.publishing.publisher import open_publisher
from roggia.publishing.revision import RevisionClock
from roggia.query_client import QueryClient
from roggia.stack.data import DataDirectory, StackState

DEFAULT_CHARS = 500_000
"""About 570 chunks: a minute or so of two cores."""


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep the data here (default: a temporary directory).")
    ] = None,
    chars: Annotated[
        int | None,
        typer.Option(
            help=f"About how much text to index, characters [{DEFAULT_CHARS}; with --reembed {demo_reembed.CHARS}].",
            min=50_000,
            show_default=False,
        ),
    ] = None,
    reembed: Annotated[
        bool, typer.Option("--reembed", help="Show a second model instead: filled, evaluated, cut over, rolled back.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="With --reembed: where the gate's report goes (default: a temporary directory)."),
    ] = None,
) -> None:
    """Index real text of this machine, ask, edit, delete; fail if anything does not hold."""
    began = time.monotonic()
    with directory(data) as where:
        held = DataDirectory(where)
        if reembed:
            asyncio.run(demo_reembed.run(held, chars or demo_reembed.CHARS, report))
        else:
            asyncio.run(staged(held, partial(_tell, chars=chars or DEFAULT_CHARS), last=6))
    out.print(f"\nAll of it held, in {time.monotonic() - began:.0f} s.")
    out.print(demo_reembed.NEXT if reembed else NEXT, markup=False)


async def _tell(state: StackState, chars: int) -> None:
    texts = corpus.gather(chars)
    async with open_publisher(Connection(state.kafka, state.registry, state.query)) as publisher:
        job = Job(publisher, TARGET, RevisionClock())
        told = story.Story(job, QueryClient(state.query), lambda _tracker, _sent: None)
        heading(f"2. Publish {len(texts)} documents: Python's reference, its library, the packages installed here")
        with bars(len(texts), "searchable") as shown:
            done, indexed = await told.index(texts, shown)
        out.print(
            f"{done.documents} documents, {done.chunks} chunks, in {done.seconds:.0f} s "
            f"({done.chunks / done.seconds:.0f} chunks/s)."
        )
        heading(f"3. Ask: {story.QUESTION}")
        answer = await told.ask()
        show_answer(answer)
        cited = answer["citations"][0]["doc_id"]
        document = story.to_edit(texts, indexed, cited)
        heading(f"4. Edit {document.doc_id}: a sentence inserted in its middle")
        edited = await told.edit(document)
        out.print(f"{edited.embedded} of {edited.chunks} chunks re-embedded, {edited.kept} kept.")
        out.print("The new sentence is found.")
        heading(f"5. Delete {cited}, which the answer cited, and ask again")
        show_answer(await told.delete(cited))
        out.print(f"{escape(cited)} is no longer cited.")


NEXT = """
Where to go next
  source .venv/bin/activate                          so that the shell finds roggia
  roggia up                                          everything, on ./roggia-data, until Ctrl-C
  roggia publish DIR --tenant me --domain notes --acl '*' --watch
  roggia ask "…" --tenant me --domain notes          an answer with citations
  roggia status                                      lag, freshness, dead letters
  docs/index.md                                      how it works, how to publish, how to run it"""
