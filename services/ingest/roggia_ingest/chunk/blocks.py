"""Find the blocks of a normalised text: the atoms that a cut prefers not to break.

A line scanner, not a Markdown parser: it needs positions and one linear pass, and no rendering. Rules follow CommonMark
where they decide where a block begins; inline syntax is left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a block is; decides how it is split when it is too large."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    FENCE = "fence"
    TABLE = "table"
    FRONT_MATTER = "front matter"


@dataclass(frozen=True, slots=True)
class Block:
    """Text from `start` to `end` (code points, without the closing newline). `level` is 1 to 6 for a heading, else 0.

    `continues` marks a block that belongs to the one before it (an indented paragraph or an item after a list).
    """

    kind: Kind
    start: int
    end: int
    level: int = 0
    continues: bool = False


_FENCE = re.compile(r"\s*(`{3,}(?!.*`)|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
_DELIMITER_ROW = re.compile(r"\s*+\|?\s*+:?-++:?\s*+(?:\|\s*+:?-++:?\s*+)*+\|?\s*+$")
_SETEXT = {"=": 1, "-": 2}
_UNDERLINE = {"=": 1, "-": 2, "~": 3, "^": 4}


def scan(text: str, *, markdown: bool) -> list[Block]:
    """Return the blocks of `text` in order; they do not overlap and leave only white space between them.

    `markdown` False reads plain text: paragraphs, and headings that are underlined.
    """
    return _Scanner(text, markdown=markdown).run()


class _Scanner:
    """One pass over the lines. `_open` is the kind of the block being collected."""

    def __init__(self, text: str, *, markdown: bool) -> None:
        self._text = text
        self._lines = text.split("\n")
        self._markdown = markdown
        self._blocks: list[Block] = []
        self._open: Kind | None = None
        self._start = self._end = self._count = 0

    def run(self) -> list[Block]:
        offset, index = 0, 0
        while index < len(self._lines):
            taken = self._take(index, offset)
            offset += sum(len(line) + 1 for line in self._lines[index : index + taken])
            index += taken
        self._close()
        return self._blocks

    def _take(self, index: int, offset: int) -> int:
        """Consume one line, or all lines of a fence, table or front matter; return how many."""
        line = self._lines[index]
        if not line.strip():
            self._close()
            return 1
        if self._underlines(line):
            return self._setext(line, offset)
        if self._markdown and (taken := self._structure(index, offset, line)):
            return taken
        self._collect(line, offset)
        return 1

    def _structure(self, index: int, offset: int, line: str) -> int:
        if match := _ATX.match(line):
            self._add(Kind.HEADING, offset, offset + len(line), level=len(match[1]))
            return 1
        if match := _FENCE.match(line):
            return self._span(Kind.FENCE, index, offset, self._fence_lines(index, match[1]))
        if index == 0 and line == "---" and (count := self._front_matter_lines()):
            return self._span(Kind.FRONT_MATTER, index, offset, count)
        if "|" in line and self._is_table(index):
            return self._span(Kind.TABLE, index, offset, self._table_lines(index))
        return 0

    def _collect(self, line: str, offset: int) -> None:
        kind = Kind.LIST if self._markdown and _ITEM.match(line) else Kind.PARAGRAPH
        if self._open is None or (kind is Kind.LIST and self._open is Kind.PARAGRAPH):
            self._close()
            self._open, self._start, self._count = kind, offset, 0
        self._end = offset + len(line)
        self._count += 1

    def _underlines(self, line: str) -> bool:
        """Whether `line` turns the single line of text above it into a heading."""
        if self._open is not Kind.PARAGRAPH or self._count != 1 or len(line) < 2:
            return False
        marks = _SETEXT if self._markdown else _UNDERLINE
        title = self._end - self._start
        return line[0] in marks and not line.strip(line[0]) and (self._markdown or len(line) >= min(title, 4))

    def _setext(self, line: str, offset: int) -> int:
        level = (_SETEXT if self._markdown else _UNDERLINE)[line[0]]
        start, self._open = self._start, None
        self._add(Kind.HEADING, start, offset + len(line), level=level)
        return 1

    def _fence_lines(self, index: int, mark: str) -> int:
        for number in range(index + 1, len(self._lines)):
            line = self._lines[number].strip()
            if line.startswith(mark) and not line.strip(mark[0]):
                return number - index + 1
        return len(self._lines) - index

    def _front_matter_lines(self) -> int:
        for number in range(1, min(len(self._lines), 200)):
            if self._lines[number] in ("---", "..."):
                return number + 1
        return 0

    def _is_table(self, index: int) -> bool:
        following = self._lines[index + 1] if index + 1 < len(self._lines) else ""
        return "|" in following and "-" in following and bool(_DELIMITER_ROW.match(following))

    def _table_lines(self, index: int) -> int:
        end = index + 2
        while end < len(self._lines) and "|" in self._lines[end]:
            end += 1
        return end - index

    def _span(self, kind: Kind, index: int, offset: int, count: int) -> int:
        length = sum(len(line) + 1 for line in self._lines[index : index + count]) - 1
        self._add(kind, offset, offset + length)
        return count

    def _close(self) -> None:
        if self._open is not None:
            kind, self._open = self._open, None
            self._add(kind, self._start, self._end)

    def _add(self, kind: Kind, start: int, end: int, level: int = 0) -> None:
        self._close()
        after_list = bool(self._blocks) and (self._blocks[-1].kind is Kind.LIST or self._blocks[-1].continues)
        self._blocks.append(Block(kind, start, end, level, continues=after_list and self._belongs(kind, start)))

    def _belongs(self, kind: Kind, start: int) -> bool:
        """Whether a block after a list is part of it: another item, or indented text."""
        if kind is Kind.LIST:
            return True
        return kind is not Kind.HEADING and self._text[start] in " \t"
