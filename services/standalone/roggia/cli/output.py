"""Where commands write: results to standard output, everything about them to standard error."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

PIPED = 200
"""Columns of a table that goes to a file or a pipe, where rich would take 80 and cut names short."""
_SHOWN = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\a\b\v\f\r"}
"""Control characters, but for blanks and those that rich leaves out."""


class Plain(Console):
    """Shows control characters instead of sending them: records and documents hold anybody's words, and a terminal
    obeys what it is sent."""

    def render_str(self, text: str, **options: Any) -> Text:
        """See rich; every text that is printed passes here, cells of tables as well."""
        return super().render_str(text.translate(_SHOWN), **options)


out = Plain(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED)
err = Plain(stderr=True, highlight=False)


def emit(value: Any) -> None:
    """One JSON document on standard output, for scripts."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def emit_line(value: Any) -> None:
    """One JSON document on one line, for streams."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """A line about what goes on, to standard error, without markup: the text may hold anybody's words."""
    err.print(text, markup=False, soft_wrap=not err.is_terminal)


def folding(*columns: str) -> Table:
    """A table that breaks what does not fit, and cuts nothing: names and ids are there to be copied."""
    return Table(*(Column(name, overflow="fold") for name in columns), box=None)


def counted(number: int, noun: str) -> str:
    """`1 chunk`, `2 chunks`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def progress(unit: str = "documents") -> Progress:
    """A progress bar on standard error with count, rate, time gone and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TextColumn("·"),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=err,
    )
