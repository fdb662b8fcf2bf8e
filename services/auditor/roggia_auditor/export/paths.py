"""Proofs in one stream's tree, out of the ledger's tiles."""

from __future__ import annotations

from collections.abc import Sequence

from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog import proofs
from roggia_auditor.tlog.tiles import WIDTH, Tile, nodes

_TILES = 512
"""Tiles kept while paths are made, 8 KiB each."""


class StreamPaths:
    """Paths in the tree of a stream's first `size` records; each tile is read once."""

    def __init__(self, ledger: Ledger, stream: Stream, size: int) -> None:
        self._ledger, self._stream, self._size = ledger, stream, size
        self._held: dict[Tile, Sequence[bytes]] = {}
        self._nodes = nodes(size, self._held.__getitem__)

    async def path(self, index: int) -> list[bytes]:
        """The inclusion proof of a leaf: tiles that it needs are fetched first, then it is made of them.

        Raises `TreeError` where the ledger does not hold them.
        """
        await self._fetch(index)
        return proofs.inclusion(index, self._size, self._nodes)

    async def consistency(self, old: int) -> list[bytes]:
        """The proof that the tree begins with its first `old` leaves. Raises `TreeError` likewise."""
        if old not in {0, self._size}:
            await self._fetch(old - 1)  # what is proven with lies on the way from the former tree's last leaf
        return proofs.consistency(old, self._size, self._nodes)

    async def _fetch(self, index: int) -> None:
        if len(self._held) >= _TILES:
            self._held.clear()
        for tile in _needed(index, self._size):
            if tile not in self._held:
                self._held[tile] = await self._ledger.tile(self._stream, tile)


def _needed(index: int, size: int) -> list[Tile]:
    """Tiles on the way from a leaf to the root, and those at the right edge, of every level."""
    found, level = dict[Tile, None](), 0
    while count := size >> 8 * level:
        last = (count - 1) // WIDTH
        for at in {min(index >> 8 * (level + 1), last), last}:
            found[Tile(level, at, min(WIDTH, count - at * WIDTH))] = None
        level += 1
    return list(found)
