"""What both demos stand on: a data directory, a running stack, headings."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.markup import escape

from roggia.cli.output import err, out
from roggia.cli.up import show
from roggia.publishing.events import Target
from roggia.stack.data import DataDirectory, StackState
from roggia.stack.up import stack

TARGET = Target("demo", "docs", ("*",))


@contextmanager
def directory(data: Path | None) -> Iterator[Path]:
    """The directory that was named, or a temporary one, which stays when something failed."""
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


async def staged(data: DataDirectory, tell: Callable[[StackState], Awaitable[None]], last: int) -> None:
    """Start the stack, tell a story against it, stop everything. `last` is the number of the last heading.

    Raises what the story raises, and what made the stack fail meanwhile.
    """
    heading("1. Start everything on this machine: broker, registry, ingest, embed, index, operator")
    err.print(f"Data: {escape(str(data.root))}")
    async with stack(data, show) as supervisor:
        running = asyncio.create_task(supervisor.run())
        telling = asyncio.ensure_future(tell(supervisor.state()))
        await asyncio.wait([running, telling], return_when=asyncio.FIRST_COMPLETED)
        for task in (telling, running):
            if task.done():
                await task
        for task in (telling, running):
            task.cancel()
        heading(f"{last}. Stop everything")


def heading(text: str) -> None:
    """The beginning of a step."""
    out.print(f"\n[bold]{escape(text)}[/bold]")
