"""Tiles: 256 hashes of one level in one file, and bundles of 256 entries. Source: C2SP tlog-tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from roggia_auditor.errors import TreeError
from roggia_auditor.tlog import hashes, proofs
from roggia_auditor.tlog.frontier import TILE_HEIGHT

WIDTH = 1 << TILE_HEIGHT
"""Hashes of a full tile."""
MAX_ENTRY = 2**16 - 1
"""Bytes of an entry in a bundle: its length is written in two bytes."""
_DIGITS = 1000
_CACHED = 256


@dataclass(frozen=True, slots=True)
class Tile:
    """Hashes `index·256` up to `index·256 + width` of a level; level 0 are leaves."""

    level: int
    index: int
    width: int = WIDTH

    def path(self) -> str:
        """Where it lies under the log's prefix."""
        return f"tile/{self.level}/{_numbered(self.index)}{self._suffix()}"

    def entries_path(self) -> str:
        """Where the entries of a tile of level 0 lie."""
        return f"tile/entries/{_numbered(self.index)}{self._suffix()}"

    def _suffix(self) -> str:
        return "" if self.width == WIDTH else f".p/{self.width}"


Tiles: TypeAlias = Callable[[Tile], Sequence[bytes]]
"""The hashes of a tile, `width` of them. Raises `TreeError` where they are not to be had."""


def of(size: int) -> Iterator[Tile]:
    """Every tile of a tree of `size`, level by level."""
    level = 0
    while count := size >> TILE_HEIGHT * level:
        yield from (Tile(level, index) for index in range(count // WIDTH))
        if count % WIDTH:
            yield Tile(level, count // WIDTH, count % WIDTH)
        level += 1


def nodes(size: int, tiles: Tiles) -> proofs.Nodes:
    """Subtree hashes of a tree of `size`, made from its tiles; few tiles are kept."""

    @lru_cache(maxsize=_CACHED)
    def levels(level: int, index: int) -> tuple[list[bytes], ...]:
        count = (size >> TILE_HEIGHT * level) - index * WIDTH
        tile = Tile(level, index, min(WIDTH, count))
        found = list(tiles(tile))
        if len(found) != tile.width:
            raise TreeError(f"{tile.path()} holds {len(found)} hashes, not {tile.width}")
        return _halved(found)

    def node(height: int, index: int) -> bytes:
        level, within = divmod(height, TILE_HEIGHT)
        tile, at = divmod(index, WIDTH >> within)
        return levels(level, tile)[within][at]

    return node


def bundle(entries: Iterable[bytes]) -> bytes:
    """A bundle of entries. Raises `TreeError` for one that is too long."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise TreeError(f"an entry of {len(entry)} bytes: a bundle holds none above {MAX_ENTRY}")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def unbundle(packed: bytes) -> list[bytes]:
    """The entries of a bundle. Raises `TreeError` where it ends within one."""
    found, at = [], 0
    while at < len(packed):
        start = at + 2
        at = start + int.from_bytes(packed[at:start], "big")
        if at > len(packed) or start > len(packed):
            raise TreeError("the bundle ends within an entry")
        found.append(packed[start:at])
    return found


def _numbered(index: int) -> str:
    parts = [f"{index % _DIGITS:03}"]
    while index := index // _DIGITS:
        parts.append(f"x{index % _DIGITS:03}")
    return "/".join(reversed(parts))


def _halved(leaves: list[bytes]) -> tuple[list[bytes], ...]:
    """A tile's hashes, and the complete subtrees above them up to the tile's own root."""
    found = [leaves]
    while len(found) <= TILE_HEIGHT:
        below = found[-1]
        found.append([hashes.node(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return tuple(found)
