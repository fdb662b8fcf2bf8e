"""The headings above a passage."""

from __future__ import annotations

import re
from collections.abc import Sequence

from roggia_ingest.chunk.atoms import Atom

_MARKS = re.compile(r"\s{0,3}#{1,6}\s*|\s+#+\s*$")
_UNDERLINE = re.compile(r"\n.*", re.DOTALL)
_LONGEST = 300


class HeadingPath:
    """Walks the atoms once, in order, and knows the headings that hold at each."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._stack: list[tuple[int, str]] = []

    def at(self, atoms: Sequence[Atom], first: int, end: int) -> tuple[str, ...]:
        """Headings above the passage `atoms[first:end]`, outermost first, with those that it begins with.

        Call it for the passages of a text in order.
        """
        index = first
        while index < end and atoms[index].level:
            self._enter(atoms[index])
            index += 1
        path = tuple(title for _, title in self._stack)
        for atom in atoms[index:end]:
            self._enter(atom)
        return path

    def _enter(self, atom: Atom) -> None:
        if not atom.level:
            return
        while self._stack and self._stack[-1][0] >= atom.level:
            self._stack.pop()
        if title := heading_title(self._text[atom.start : atom.end]):
            self._stack.append((atom.level, title))


def heading_title(line: str) -> str:
    """The words of a heading as written in Markdown, at most 300 characters."""
    return _MARKS.sub("", _UNDERLINE.sub("", line)).strip()[:_LONGEST]
