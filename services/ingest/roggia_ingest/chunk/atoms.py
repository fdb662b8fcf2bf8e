"""Cut blocks into atoms: the ranges that a passage is put together from, small enough to leave a choice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from roggia_ingest.chunk.blocks import Block, Kind, scan
from roggia_ingest.chunk.sizes import CHARACTERS_PER_TOKEN, ChunkSizes
from roggia_ingest.chunk.tokens import Measured, TokenCounter

Span = tuple[int, int]

HEADING_RANK = 20
"""Rank of a cut before a heading of level 0; each level takes one off."""
BLOCK_RANK = 10
CONTINUED_RANK = 9

_SENTENCE = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]*_]*+\s+|(?<![。！？])[。！？]++\s*|\n\n\s*")
_LINE = re.compile(r"\n+")
_ITEM = re.compile(r"\n+(?=\s*(?:[-*+]|\d{1,9}[.)])[ \t])")
_WORD = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Atom:
    """A range that is never cut. `rank` says how good a cut before it is; `level` is 1 to 6 for a heading.

    `header` is the range to repeat when a passage starts here (rows of a table after the first). `alone` is for a
    piece of a word without end: it shares a passage with nothing, because counts across its edges do not add up.
    """

    start: int
    end: int
    rank: int
    level: int = 0
    header: Span | None = None
    alone: bool = False


def atoms(text: str, measured: Measured, counter: TokenCounter, sizes: ChunkSizes, *, markdown: bool) -> list[Atom]:
    """Return the atoms of `text` in order: they do not overlap and leave only white space between them."""
    splitter = _Splitter(text, measured, counter, sizes)
    return [atom for block in scan(text, markdown=markdown) for atom in splitter.split(block)]


def sentences(text: str, span: Span) -> list[Span]:
    """The sentences of a range, by punctuation followed by white space (or full-width punctuation), and empty lines."""
    return list(_pieces(text, span, _SENTENCE))


@dataclass(frozen=True, slots=True)
class _Splitter:
    text: str
    measured: Measured
    counter: TokenCounter
    sizes: ChunkSizes

    def split(self, block: Block) -> Iterator[Atom]:
        rank = HEADING_RANK - block.level if block.level else (CONTINUED_RANK if block.continues else BLOCK_RANK)
        span = (block.start, block.end)
        if self._fits(span):
            yield Atom(*span, rank, level=block.level)
        elif block.kind is Kind.TABLE:
            yield from self._table(span, rank)
        else:
            yield from self._refine(span, rank, _LADDERS[block.kind], block.level)

    def _fits(self, span: Span) -> bool:
        return self.measured.weight(*span) <= self.sizes.atom

    def _table(self, span: Span, rank: int) -> Iterator[Atom]:
        """Rows, each with the range of the header's two lines, unless the header is too large to repeat."""
        rows = list(_pieces(self.text, span, _LINE))
        header = (rows[0][0], rows[1][1])
        repeated = header if self.measured.weight(*header) <= self.sizes.header else None
        yield from self._refine(header, rank, _LADDERS[Kind.PARAGRAPH])
        for row in rows[2:]:
            for atom in self._refine(row, _ROW_RANK, _LADDERS[Kind.PARAGRAPH]):
                yield Atom(atom.start, atom.end, atom.rank, header=repeated, alone=atom.alone)

    def _refine(self, span: Span, rank: int, ladder: tuple[Step, ...], level: int = 0) -> Iterator[Atom]:
        """Split by the ladder's first step, and what is still too large by the next; the first piece keeps `rank`."""
        if self._fits(span):
            yield Atom(*span, rank, level=level)
            return
        if not ladder:
            yield from self._endless(span, rank)
            return
        (step_rank, cut), *rest = ladder
        for number, piece in enumerate(cut(self, span)):
            first = number == 0
            yield from self._refine(piece, rank if first else step_rank, tuple(rest), level if first else 0)

    def _endless(self, span: Span, rank: int) -> Iterator[Atom]:
        """A word too long for any passage (base64, say): pieces of equal length, each a passage of its own."""
        length = self.sizes.atom * CHARACTERS_PER_TOKEN
        for start in range(span[0], span[1], length):
            yield Atom(start, min(start + length, span[1]), rank, alone=True)

    def words_inside(self, span: Span) -> Iterator[Span]:
        """Words as the tokenizer sees them, for text without spaces."""
        for start, end in self.counter.words(self.text[span[0] : span[1]]):
            yield span[0] + start, span[0] + end


Step = tuple[int, Callable[[_Splitter, Span], Iterator[Span]]]


def _pieces(text: str, span: Span, separator: re.Pattern[str]) -> Iterator[Span]:
    """Ranges between the matches; a separator's own visible characters stay with the piece before it."""
    start = span[0]
    for match in separator.finditer(text, *span):
        end = match.start() + len(match[0].rstrip())
        if end > start:
            yield start, end
            start = match.end()
    if start < span[1]:
        yield start, span[1]


def _by(separator: re.Pattern[str]) -> Callable[[_Splitter, Span], Iterator[Span]]:
    return lambda splitter, span: _pieces(splitter.text, span, separator)


_ROW_RANK = 6
_ITEMS: Step = (6, _by(_ITEM))
_LINES: Step = (6, _by(_LINE))
_SENTENCES: Step = (5, _by(_SENTENCE))
_WORDS: Step = (3, _by(_WORD))
_INSIDE: Step = (2, _Splitter.words_inside)
_LADDERS: dict[Kind, tuple[Step, ...]] = {
    Kind.HEADING: (_WORDS, _INSIDE),
    Kind.PARAGRAPH: (_SENTENCES, _WORDS, _INSIDE),
    Kind.LIST: (_ITEMS, _SENTENCES, _WORDS, _INSIDE),
    Kind.FENCE: (_LINES, _WORDS, _INSIDE),
    Kind.FRONT_MATTER: (_LINES, _WORDS, _INSIDE),
}
