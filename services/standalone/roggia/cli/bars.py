"""Progress bars of a publication, and of what goes through records of the audit log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from roggia.cli.output import progress
from roggia.publishing.tracker import Tracker


@contextmanager
def bars(total: int, label: str) -> Iterator[Callable[[Tracker, int], None]]:
    """A bar on standard error for `total` documents, with rate and time left; yields what moves it.

    `label` is `searchable` (the bar counts settled documents) or `sent` (it counts acknowledged ones).
    """
    bar, began = progress(), time.monotonic()
    task = bar.add_task(label, total=total, rate="")

    def show(tracker: Tracker, sent: int) -> None:
        seconds = max(1e-3, time.monotonic() - began)
        rate = f"{tracker.chunks / seconds:,.0f} chunks/s" if tracker.chunks else f"{sent / seconds:,.0f} sent/s"
        bar.update(task, completed=sent if label == "sent" else tracker.settled, rate=rate)

    with bar:
        yield show


@contextmanager
def records_bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error for `total` records; yields what moves it by so many more."""
    bar = progress("records")
    task = bar.add_task(label, total=total, rate="")
    with bar:
        yield lambda more: bar.advance(task, more)
