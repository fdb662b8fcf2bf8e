"""The right edge of a growing tree: all that is needed to append to it and to know its root.

Source: the compact range of RFC 6962 trees, one hash per bit that is set in the size, at most 63 of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from roggia_auditor.errors import TreeError
from roggia_auditor.tlog import hashes

TILE_HEIGHT = 8
"""Levels that one tile spans (C2SP tlog-tiles)."""
_WIDTH = 1 << TILE_HEIGHT


@dataclass(frozen=True, slots=True)
class TileHash:
    """Hash of a complete subtree whose height is a multiple of eight: what tiles above level 0 are made of."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """Size, and the roots of the complete subtrees that the tree falls into, from the widest to the narrowest."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or self.size.bit_count() != len(self.peaks):
            raise TreeError(
                f"a tree of {self.size} leaves has {max(self.size, 0).bit_count()} peaks, not {len(self.peaks)}"
            )

    def grown(self, leaves: Iterable[bytes]) -> tuple[Frontier, list[TileHash]]:
        """With these leaf hashes behind it, and what became complete for tiles of level 1 and above."""
        size, peaks, held, at = self.size, list(self.peaks), list(leaves), 0
        tiles: list[TileHash] = []
        while at < len(held):  # as a carry runs through a binary number, whole tiles at once where they begin
            if size % _WIDTH == 0 and at + _WIDTH <= len(held):
                found, height = hashes.over(held[at : at + _WIDTH]), TILE_HEIGHT
                tiles.append(TileHash(1, size >> height, found))
            else:
                found, height = held[at], 0
            at, end = at + (1 << height), size + (1 << height)
            while size >> height & 1:
                found = hashes.node(peaks.pop(), found)
                height += 1
                if height % TILE_HEIGHT == 0:
                    tiles.append(TileHash(height // TILE_HEIGHT, size >> height, found))
            peaks.append(found)
            size = end
        return Frontier(size, tuple(peaks)), tiles

    def root(self) -> bytes:
        """Root hash of the tree."""
        if not self.peaks:
            return hashes.EMPTY_ROOT
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = hashes.node(peak, found)
        return found

    def encoded(self) -> bytes:
        """The peaks, one after the other; the size is kept beside them."""
        return b"".join(self.peaks)

    @classmethod
    def decoded(cls, size: int, peaks: bytes) -> Frontier:
        """What `encoded` wrote. Raises `TreeError` where size and peaks do not fit."""
        if len(peaks) % hashes.SIZE:
            raise TreeError(f"{len(peaks)} bytes of peaks are no multiple of {hashes.SIZE}")
        return cls(size, tuple(peaks[at : at + hashes.SIZE] for at in range(0, len(peaks), hashes.SIZE)))
