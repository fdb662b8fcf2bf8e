"""`roggia demo`: from nothing to a cited answer, on this machine, in a minute or two."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from roggia.cli.bars import bars
from roggia.cli.output import err, out
from roggia.cli.search import show_answer
from roggia.cli.up import show
from roggia.connection import Connection
from roggia.demo import corpus, story
from roggia.publishing.events import Target
from roggia.publishing.job import Job
from roggia.publishing.publisher import open_publisher
from roggia.publishing.revision import RevisionClock
from roggia.query_client import QueryClient
from roggia.stack.data import DataDirectory, StackState
from roggia.stack.up import stack

TARGET = Target("demo", "docs", ("*",))
DEFAULT_CHARS = 500_000
"""About 570 chunks: a minute or so of two cores."""


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep the data here (default: a temporary directory).")
    ] = None,
    chars: Annotated[int, typer.Option(help="About how much text to index, characters.", min=50_000)] = DEFAULT_CHARS,
) -> None:
    """Index real text of this machine, ask, edit, delete; fail if anything does not hold."""
    began = time.monotonic()
    with _directory(data) as where:
        asyncio.run(_run(DataDirectory(where), chars))
    out.print(f"\nAll of it held, in {time.monotonic() - began:.0f} s.")
    out.print(NEXT, markup=False)


@contextmanager
def _directory(data: Path | None) -> Iterator[Path]:
    if data:
        yield data
        return
    fresh = Path(tempfile.mkdtemp(prefix="roggia-demo-"))
    try:
        yield fresh
    except Exception:  # its message names logs in there: they stay
        err.print(f"Kept for you to look at: {escape(str(fresh))}", soft_wrap=True)
        raise
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(fresh, ignore_errors=True)


async def _run(data: DataDirectory, chars: int) -> None:
    _heading("1. Start everything on this machine: broker, registry, ingest, embed, index, operator")
    err.print(f"Data: {escape(str(data.root))}")
    async with stack(data, show) as supervisor:
        running = asyncio.create_task(supervisor.run())
        telling = asyncio.create_task(_tell(supervisor.state(), chars))
        await asyncio.wait([running, telling], return_when=asyncio.FIRST_COMPLETED)
        for task in (telling, running):
            if task.done():
                await task
        for task in (telling, running):
            task.cancel()
        _heading("6. Stop everything")


async def _tell(state: StackState, chars: int) -> None:
    texts = corpus.gather(chars)
    async with open_publisher(Connection(state.kafka, state.registry, state.query)) as publisher:
        job = Job(publisher, TARGET, RevisionClock())
        told = story.Story(job, QueryClient(state.query), lambda _tracker, _sent: None)
        _heading(f"2. Publish {len(texts)} documents: Python's reference, its library, the packages installed here")
        with bars(len(texts), "searchable") as shown:
            done, indexed = await told.index(texts, shown)
        out.print(
            f"{done.documents} documents, {done.chunks} chunks, in {done.seconds:.0f} s "
            f"({done.chunks / done.seconds:.0f} chunks/s)."
        )
        _heading(f"3. Ask: {story.QUESTION}")
        answer = await told.ask()
        show_answer(answer)
        cited = answer["citations"][0]["doc_id"]
        document = story.to_edit(texts, indexed, cited)
        _heading(f"4. Edit {document.doc_id}: a sentence inserted in its middle")
        edited = await told.edit(document)
        out.print(f"{edited.embedded} of {edited.chunks} chunks re-embedded, {edited.kept} kept.")
        out.print("The new sentence is found.")
        _heading(f"5. Delete {cited}, which the answer cited, and ask again")
        show_answer(await told.delete(cited))
        out.print(f"{escape(cited)} is no longer cited.")


def _heading(text: str) -> None:
    out.print(f"\n[bold]{escape(text)}[/bold]")


NEXT = """
Where to go next
  source .venv/bin/activate                          so that the shell finds roggia
  roggia up                                          everything, on ./roggia-data, until Ctrl-C
  roggia publish DIR --tenant me --domain notes --acl '*' --watch
  roggia ask "…" --tenant me --domain notes          an answer with citations
  roggia status                                      lag, freshness, dead letters
  docs/index.md                                      how it works, how to publish, how to run it"""
