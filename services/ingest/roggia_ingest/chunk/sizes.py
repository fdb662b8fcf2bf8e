"""The sizes that the chunker keeps, in tokens of its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

CHARACTERS_PER_TOKEN = 16
"""A token weighs at least this many characters: bounds a passage of words that the tokenizer does not know."""

_OVERLAP_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class ChunkSizes:
    """Bounds of a passage. Every value but `maximum` and `minimum` follows from these two."""

    maximum: int = 510
    """Most tokens of a passage, overlap included. all-MiniLM's window of 512 less its two special tokens."""
    minimum: int = 128
    """Least tokens of a passage that does not end its top-level section or the document."""

    @property
    def overlap(self) -> int:
        """Most tokens that a passage repeats from the one before it: 15 % of the maximum."""
        return int(self.maximum * _OVERLAP_SHARE)

    @property
    def core(self) -> int:
        """Most tokens of a passage without its overlap, so that where it ends does not depend on the overlap."""
        return self.maximum - self.overlap

    @property
    def atom(self) -> int:
        """A block above this weight may be cut inside, else a piece below the minimum might find no cut."""
        return self.core - self.minimum - self.header

    @property
    def header(self) -> int:
        """Most tokens of a table's header that is repeated in each part; a larger one is not repeated."""
        return self.core // 6

    def overlap_for(self, core_tokens: int) -> int:
        """Most overlap for a passage of `core_tokens`, so that the overlap is at most 15 % of the whole."""
        return min(self.overlap, int(core_tokens * _OVERLAP_SHARE / (1 - _OVERLAP_SHARE)))
