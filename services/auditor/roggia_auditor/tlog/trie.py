"""A tree in which every name has one place: nobody can put two leaves for one name under one root.

A binary trie over SHA-256 of the names. Where names part, a branch says at which bit they do, and whoever follows a
name takes the side of its bit. Two paths for one name would begin at the same root and part nowhere, so they end at the
same leaf. Sources: the prefix trees of CONIKS (Melara et al., 2015) and RFC 6962's domain separation; branches on one
side alone are left out, as in a Patricia trie (Morrison, 1968), so that a path has about log2 of the names.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from roggia_auditor.errors import TreeError
from roggia_auditor.tlog.hashes import EMPTY_ROOT

BITS = 256
Path: TypeAlias = list[tuple[int, bytes]]
"""From the leaf to the root: the bit at which a branch parts, and the hash of its other side."""
_BRANCH = b"\x02"
_Place: TypeAlias = tuple[int, bytes]


def root(leaves: Mapping[str, bytes]) -> bytes:
    """The root over leaf hashes by name."""
    ordered = _ordered(leaves)
    return _hash(ordered, 0, len(ordered)) if ordered else EMPTY_ROOT


def path(leaves: Mapping[str, bytes], name: str) -> Path:
    """The way from a name's leaf to the root. Raises `TreeError` for a name that is not there."""
    if name not in leaves:
        raise TreeError("the tree does not hold it")
    ordered, key = _ordered(leaves), key_of(name)
    found: Path = []
    start, end = 0, len(ordered)
    while end - start > 1:
        at, middle = _parts(ordered, start, end)
        if key >> (BITS - 1 - at) & 1:
            found.append((at, _hash(ordered, start, middle)))
            start = middle
        else:
            found.append((at, _hash(ordered, middle, end)))
            end = middle
    return found[::-1]


def leads(leaf: bytes, name: str, way: Sequence[tuple[int, bytes]]) -> bytes:
    """The root that a way leads to from a name's leaf. Raises `TreeError` for one that no tree has."""
    key, below, found = key_of(name), BITS, leaf
    for at, other in way:
        if not 0 <= at < below:
            raise TreeError(f"a branch at bit {at} cannot lie above one at {below}")
        below = at
        found = branch(at, other, found) if key >> (BITS - 1 - at) & 1 else branch(at, found, other)
    return found


def branch(at: int, left: bytes, right: bytes) -> bytes:
    """Hash of a branch at a bit, 0 to 255 from the most significant on; the left side has 0 there."""
    return hashlib.sha256(_BRANCH + at.to_bytes(2, "big") + left + right).digest()


def key_of(name: str) -> int:
    """Where a name is."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")


def _ordered(leaves: Mapping[str, bytes]) -> list[_Place]:
    return sorted((key_of(name), leaf) for name, leaf in leaves.items())


def _parts(ordered: Sequence[_Place], start: int, end: int) -> tuple[int, int]:
    """At which bit the keys part first, and the first of them that has 1 there."""
    first, last = ordered[start][0], ordered[end - 1][0]
    at = BITS - (first ^ last).bit_length()
    bound = (last >> (BITS - 1 - at)) << (BITS - 1 - at)
    return at, bisect_left(ordered, (bound, b""), start, end)


def _hash(ordered: Sequence[_Place], start: int, end: int) -> bytes:
    if end - start == 1:
        return ordered[start][1]
    at, middle = _parts(ordered, start, end)
    return branch(at, _hash(ordered, start, middle), _hash(ordered, middle, end))
