"""Hashes of leaves and nodes, as RFC 6962 §2.1 defines them over SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

SIZE = 32
"""Bytes of a hash."""
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""
_LEAF, _NODE = b"\x00", b"\x01"


def leaf(entry: bytes) -> bytes:
    """Hash of an entry. The prefix keeps an entry from being taken for two hashes."""
    return hashlib.sha256(_LEAF + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash over two subtrees."""
    return hashlib.sha256(_NODE + left + right).digest()


def over(level: Sequence[bytes]) -> bytes:
    """Hash over a complete subtree: `level` are its leaves' hashes, a power of two of them."""
    held = list(level)
    sha256 = hashlib.sha256
    while len(held) > 1:
        held = [sha256(_NODE + left + right).digest() for left, right in zip(held[::2], held[1::2], strict=True)]
    return held[0]
