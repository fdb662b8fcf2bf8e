"""Choose where passages end: at headings, and between them at the boundary with the highest rank and hash.

The choice depends on the text near it alone, so that an edit moves the cuts around it and no others. The idea is
content-defined chunking (Muthitacharoen et al., LBFS, 2001; local maxima as in Bjørner et al., 2010), with blocks of
text in place of bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from roggia_ingest.chunk.atoms import Atom
from roggia_ingest.chunk.sizes import ChunkSizes

Weigh = Callable[[int, int], int]
"""Weight of the text from one position to another."""

_DEEPEST_HARD = 3
"""Headings down to this level end a passage that has the minimum."""


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts the atoms of one text into runs. `cut` returns ranges of atom indices, in order and without gaps."""

    text: str
    atoms: Sequence[Atom]
    weigh: Weigh
    sizes: ChunkSizes

    def cut(self) -> list[tuple[int, int]]:
        """Runs of at most `sizes.core`, none of which crosses a level-1 heading."""
        runs: list[tuple[int, int]] = []
        for begin, last in self._sections():
            first = begin
            while first < last:
                end = self._end_of_run(first, last)
                runs.append((first, end))
                first = end
        return runs

    def _sections(self) -> list[tuple[int, int]]:
        """Ranges between level-1 headings. Less than the minimum before the first one belongs to its section."""
        starts = [0, *filter(self._must_cut, range(1, len(self.atoms)))]
        return list(zip(starts, [*starts[1:], len(self.atoms)], strict=True)) if self.atoms else []

    def _must_cut(self, index: int) -> bool:
        atom, before = self.atoms[index], self.atoms[index - 1]
        if atom.alone or before.alone:
            return True
        return atom.level == 1 and not self._is_preamble(index)

    def _is_preamble(self, index: int) -> bool:
        small = self._weight(0, index) < self.sizes.minimum
        return small and all(not atom.level for atom in self.atoms[:index])

    def _end_of_run(self, first: int, last: int) -> int:
        """Where the run that starts at `first` ends, inside a section that ends at `last`."""
        budget = self.sizes.core - self._header_weight(first)
        candidates: list[int] = []
        anchor = first
        for index in range(first + 1, last):
            if self._heading_cut(first, index, last, budget):
                return index
            if self._is_hard(index):
                anchor = index
            if self.atoms[index - 1].level == 0 and self._weight(first, index) >= self.sizes.minimum:
                candidates.append(index)
            if self._weight(first, index + 1) > budget:
                return self._best(self._near(anchor, candidates), index, last)
        return last

    def _heading_cut(self, first: int, index: int, last: int, budget: int) -> bool:
        """Whether a heading at `index` ends the run: it has the minimum, and what follows is not a small rest."""
        if not self._is_hard(index) or self._weight(first, index) < self.sizes.minimum:
            return False
        return not (self._is_small(index, last) and self._weight(first, last) <= budget)

    def _near(self, anchor: int, candidates: list[int]) -> list[int]:
        """Candidates that would also do for a run that starts at the heading `anchor`, if there are any.

        A run may begin with less than the minimum of other sections. Cutting the last section as if they were not
        there keeps its cuts in place when text above it changes.
        """
        if not self._is_hard(anchor):
            return candidates
        least, most = self.sizes.minimum, self.sizes.core - self.sizes.minimum
        near = [index for index in candidates if index > anchor and least <= self._weight(anchor, index) <= most]
        return near or candidates

    def _best(self, candidates: list[int], limit: int, last: int) -> int:
        """The candidate with the highest (rank, hash), else `limit`: of those that leave the minimum before the next
        heading, if there are any, so that the next heading can be a cut.
        """
        end = self._next_heading(limit, last)
        roomy = [index for index in candidates if index == end or not self._is_small(index, end)]
        return max(roomy or candidates, key=self._key, default=limit)

    def _next_heading(self, index: int, last: int) -> int:
        """The next heading at or after `index` that can be a cut, or how far to look for it: the minimum."""
        end = index
        while end < last and not self._is_hard(end) and (end == index or self._is_small(index, end)):
            end += 1
        return end

    def _is_hard(self, index: int) -> bool:
        return 1 <= self.atoms[index].level <= _DEEPEST_HARD

    def _is_small(self, index: int, last: int) -> bool:
        return self._weight(index, last) < self.sizes.minimum

    def _key(self, index: int) -> tuple[int, bytes, int]:
        atom = self.atoms[index]
        content = self.text[atom.start : atom.end].encode()
        return atom.rank, blake2b(content, digest_size=8).digest(), index

    def _weight(self, first: int, end: int) -> int:
        return self.weigh(self.atoms[first].start, self.atoms[end - 1].end)

    def _header_weight(self, first: int) -> int:
        header = self.atoms[first].header
        return self.weigh(*header) if header else 0
