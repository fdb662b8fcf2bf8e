"""Tables as GFM, the form in which the chunker repeats a header."""

from __future__ import annotations

from collections.abc import Sequence

MAX_COLUMNS = 1_000


def gfm(rows: Sequence[Sequence[str]]) -> str:
    """A GFM table; the first row is its header. Short rows are filled up. Empty when there is no row."""
    if not rows:
        return ""
    width = max(map(len, rows))
    header, *body = [_row(row, width) for row in rows]
    return "\n".join([header, "|" + " --- |" * width, *body])


def _row(cells: Sequence[str], width: int) -> str:
    filled = [*cells, *[""] * (width - len(cells))]
    return "| " + " | ".join(_cell(cell) for cell in filled) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
