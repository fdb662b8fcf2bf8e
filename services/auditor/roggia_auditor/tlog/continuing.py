"""A tree that goes on: the proof that it begins with a former one, from that one's right edge and the leaves since.

A consistency proof needs nothing of the former tree but its peaks (RFC 6962 §2.1.2): whoever keeps them with every
leaf proves from anywhere without the tree.
"""

from __future__ import annotations

from collections.abc import Iterable

from roggia_auditor.errors import TreeError
from roggia_auditor.tlog import hashes, proofs
from roggia_auditor.tlog.frontier import Frontier


def consistency(before: Frontier, leaves: Iterable[bytes]) -> list[bytes]:
    """Proof that the tree with these leaf hashes behind `before` begins with `before`."""
    held, size = _grown(before, leaves)
    return proofs.consistency(before.size, size, _of(held))


def _grown(before: Frontier, leaves: Iterable[bytes]) -> tuple[dict[tuple[int, int], bytes], int]:
    """Complete subtrees by (height, index): the peaks, and all that the leaves complete. And the size then."""
    held, size = _peaks(before), before.size
    for leaf in leaves:
        height, index, found = 0, size, leaf
        held[height, index] = found
        while index & 1:
            found = hashes.node(held[height, index - 1], found)
            height, index = height + 1, index >> 1
            held[height, index] = found
        size += 1
    return held, size


def _peaks(before: Frontier) -> dict[tuple[int, int], bytes]:
    heights = [height for height in reversed(range(before.size.bit_length())) if before.size >> height & 1]
    return {(height, (before.size >> height) - 1): peak for height, peak in zip(heights, before.peaks, strict=True)}


def _of(held: dict[tuple[int, int], bytes]) -> proofs.Nodes:
    def node(height: int, index: int) -> bytes:
        try:
            return held[height, index]
        except KeyError:
            raise TreeError(f"subtree {index} of height {height} is within the former tree") from None

    return node
