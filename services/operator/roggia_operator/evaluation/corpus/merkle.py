"""Root of a Merkle tree over lines, in one pass and logarithmic memory: RFC 6962, section 2.1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def root(leaves: Iterable[bytes]) -> str:
    """The tree head of `leaves` in order, as hexadecimal digits; that of no leaves is the hash of nothing."""
    # Complete subtrees from left to right, each at most as large as the one before; equal sizes merge at once.
    peaks: list[tuple[int, bytes]] = []
    for leaf in leaves:
        size, top = 1, hashlib.sha256(b"\x00" + leaf).digest()
        while peaks and peaks[-1][0] == size:
            left_size, left = peaks.pop()
            size, top = size + left_size, _node(left, top)
        peaks.append((size, top))
    if not peaks:
        return hashlib.sha256(b"").hexdigest()
    _, head = peaks.pop()
    while peaks:
        head = _node(peaks.pop()[1], head)
    return head.hex()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
