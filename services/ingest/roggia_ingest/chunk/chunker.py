"""From a normalised text to passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roggia_ingest.chunk.atoms import Atom, atoms, sentences
from roggia_ingest.chunk.cuts import Cutter
from roggia_ingest.chunk.headings import HeadingPath
from roggia_ingest.chunk.sizes import ChunkSizes
from roggia_ingest.chunk.tokens import Measured, TokenCounter

NAME = "roggia-blocks"
VERSION = 1
"""Raised by any change that can move a cut: it makes a new chunker generation."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One chunk before it has an identity. `text` is what is embedded, searched and shown.

    `start` and `end` are code points of the normalised text; a part of a table has its header above `text[start:end]`.
    `tokens` counts `text` on its own, special tokens excluded.
    """

    text: str
    tokens: int
    start: int
    end: int
    heading_path: tuple[str, ...] = ()


class Chunker:
    """Deterministic: the same text, sizes and tokenizer give the same passages on every machine. Thread-safe."""

    def __init__(self, counter: TokenCounter, sizes: ChunkSizes) -> None:
        self.counter = counter
        self.sizes = sizes
        self.fingerprint = (
            f"{NAME}/{VERSION};max={sizes.maximum};min={sizes.minimum};overlap={sizes.overlap};"
            f"tokenizer=sha256:{counter.sha256[:16]}"
        )

    def chunk(self, text: str, *, markdown: bool) -> list[Passage]:
        """Cut a normalised text. Every visible character is in at least one passage; white space alone gives none."""
        measured = self.counter.measure(text)
        found = atoms(text, measured, self.counter, self.sizes, markdown=markdown)
        cutter = Cutter(text, found, measured.weight, self.sizes)
        return _Assembly(text, found, measured, self.counter, self.sizes).passages(cutter.cut())


@dataclass(frozen=True, slots=True)
class _Assembly:
    text: str
    atoms: Sequence[Atom]
    measured: Measured
    counter: TokenCounter
    sizes: ChunkSizes

    def passages(self, runs: Sequence[tuple[int, int]]) -> list[Passage]:
        path = HeadingPath(self.text)
        return [self._passage(first, end, path.at(self.atoms, first, end)) for first, end in runs]

    def _passage(self, first: int, end: int, path: tuple[str, ...]) -> Passage:
        head, last = self.atoms[first], self.atoms[end - 1].end
        start = self._overlap_start(first, end)
        body = self.text[start:last]
        if head.alone:
            return Passage(body, self.counter.count(body), start, last, path)
        tokens = self.measured.tokens(start, last)
        if head.header is None:
            return Passage(body, tokens, start, last, path)
        header = self.text[head.header[0] : head.header[1]]
        return Passage(f"{header}\n{body}", tokens + self.measured.tokens(*head.header), start, last, path)

    def _overlap_start(self, first: int, end: int) -> int:
        """Where the passage starts once it repeats the end of the one before it.

        Nothing is repeated at a heading, where the subject changes, nor inside a table, whose header is repeated.
        """
        head = self.atoms[first]
        if first == 0 or head.level or head.header or head.alone or self.atoms[first - 1].alone:
            return head.start
        budget = self.sizes.overlap_for(self.measured.weight(head.start, self.atoms[end - 1].end))
        return self._reach_back(first, budget)

    def _reach_back(self, first: int, budget: int) -> int:
        """The earliest start of an atom, or else of a sentence, within `budget` before the atom `first`."""
        stop = start = self.atoms[first].start
        for atom in reversed(self.atoms[:first]):
            if self.measured.weight(atom.start, stop) > budget:
                return self._sentence_start(atom, start, stop, budget)
            start = atom.start
            if atom.level == 1:
                break
        return start

    def _sentence_start(self, atom: Atom, start: int, stop: int, budget: int) -> int:
        for begin, _ in reversed(sentences(self.text, (atom.start, atom.end))):
            if self.measured.weight(begin, stop) > budget:
                break
            start = begin
        return start
