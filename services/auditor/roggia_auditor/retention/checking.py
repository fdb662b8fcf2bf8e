"""Is a segment what it should be: files, hashes, values, numbers, and the way from every leaf to a signed root?"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

from roggia_auditor.errors import ProofError, SegmentError
from roggia_auditor.ledger.model import Row
from roggia_auditor.ports import Ledger
from roggia_auditor.retention.ports import SegmentFiles
from roggia_auditor.retention.segment import Segment, Shares, Span
from roggia_auditor.tlog import checkpoint, hashes, note, proofs
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.frontier import TILE_HEIGHT
from roggia_auditor.tlog.tiles import WIDTH, Tile, nodes

_PAGE = 2_000
Covering = Mapping[Tile, Sequence[bytes]]
"""Every tile that the leaves of a segment need to lead to a checkpoint's root."""


async def check(ledger: Ledger, files: SegmentFiles, segment: Segment) -> None:
    """Read a segment back, whole. Raises `SegmentError` or `ProofError` for the first thing that does not hold."""
    span = segment.span
    if await files.manifest(span) != segment.manifest():
        raise SegmentError(f"{span.name}: its manifest is not the one that was sealed")
    shares, leaves, at = Shares(), list[bytes](), span.first
    while at < span.end:
        rows = await files.rows(span, at, min(_PAGE, span.end - at))
        _check_rows(span, at, rows)
        shares.add(rows)
        leaves += [row.leaf_hash for row in rows]
        at += len(rows)
    if (shares.done(), shares.newest) != (segment.shares, segment.newest):
        raise SegmentError(f"{span.name}: counts, sums or hashes by tenant are not those of its manifest")
    signed = checkpoint.of(note.parse(segment.checkpoint))
    await asyncio.to_thread(under, span, leaves, signed, await covering(ledger, span, signed.size))


async def covering(ledger: Ledger, span: Span, size: int) -> Covering:
    """The tiles of a tree of `size` over a span, and those at its right edge."""
    found: dict[Tile, Sequence[bytes]] = {}
    low, high, level = span.first, span.end - 1, 0
    while count := size >> TILE_HEIGHT * level:
        last = (count - 1) // WIDTH
        for index in sorted({*range(low // WIDTH, min(high // WIDTH, last) + 1), last}):
            tile = Tile(level, index, min(WIDTH, count - index * WIDTH))
            found[tile] = list(await ledger.tile(span.stream, tile))
        low, high, level = low // WIDTH, high // WIDTH, level + 1
    return found


def under(span: Span, leaves: Sequence[bytes], signed: Checkpoint, tiles: Covering) -> None:
    """Raises `ProofError` unless the leaf hashes of a span lead to the root of a checkpoint, level by level."""
    for index, leaf in enumerate(leaves, span.first):
        width = min(WIDTH, signed.size - index // WIDTH * WIDTH)
        if tiles[Tile(0, index // WIDTH, width)][index % WIDTH] != leaf:
            raise ProofError(f"{span.name}: leaf {index} is not the one of the tree")
    for tile, held in tiles.items():
        above = _above(tile, signed.size)
        if tile.width == WIDTH and above in tiles and tiles[above][tile.index % WIDTH] != hashes.over(held):
            raise ProofError(f"{span.name}: {tile.path()} does not lead to {above.path()}")
    if proofs.root(signed.size, nodes(signed.size, tiles.__getitem__)) != signed.root:
        raise ProofError(f"{span.name}: its tiles do not lead to the root of the checkpoint over {signed.size} leaves")


def _check_rows(span: Span, at: int, rows: Sequence[Row]) -> None:
    if not rows:
        raise SegmentError(f"{span.name}: leaf {at} is missing")
    for index, row in enumerate(rows, at):
        if row.index != index:
            raise SegmentError(f"{span.name}: leaf {row.index} stands where {index} should")
        if hashes.leaf(row.entry) != row.leaf_hash:
            raise SegmentError(f"{span.name}: leaf {index} has another hash than its entry")
        if hashlib.sha256(row.value).digest() != row.leaf.value_sha256:
            raise SegmentError(f"{span.name}: the value of leaf {index} is not the one that was logged")


def _above(tile: Tile, size: int) -> Tile:
    """The tile that holds the hash of a tile, if that is full."""
    level, index = tile.level + 1, tile.index // WIDTH
    return Tile(level, index, min(WIDTH, (size >> TILE_HEIGHT * level) - index * WIDTH))
