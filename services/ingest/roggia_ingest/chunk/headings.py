"""The headings above a passage."""

from __future__ import annotations

from collections.abc import Sequence

from roggia_ingest.chunk.atoms import Atom

_SEEN = 1_000
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


def heading_title(heading: str) -> str:
    """The words of a heading as written in Markdown, at most 300 characters: no marks before, behind or below."""
    line = heading.split("\n", 1)[0][:_SEEN].strip()
    if line.startswith("#"):
        line = line.lstrip("#").strip()
        words = line.rstrip("#")
        line = words.rstrip() if words[-1:].isspace() or not words else line
    return line[:_LONGEST]
