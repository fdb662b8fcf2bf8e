"""Inclusion and consistency proofs: made from any store of subtree hashes, checked with nothing but hashes.

Sources: RFC 6962 §2.1.1 and §2.1.2 (what is in a proof), RFC 9162 §2.1.3.2 and §2.1.4.2 (how one is checked).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from roggia_auditor.errors import ProofError, TreeError
from roggia_auditor.tlog import hashes

Nodes: TypeAlias = Callable[[int, int], bytes]
"""Hash of the complete subtree at (height, index), over leaves index·2^height up to (index+1)·2^height."""
MAX_PATH = 63
"""Hashes in any proof over at most 2^63 leaves."""


def root(size: int, nodes: Nodes) -> bytes:
    """Root of the tree of the first `size` leaves."""
    return _range(0, size, nodes) if size else hashes.EMPTY_ROOT


def inclusion(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Proof that leaf `index` is in the tree of `size`, sibling first. Raises `TreeError` for a leaf beyond it."""
    if not 0 <= index < size:
        raise TreeError(f"leaf {index} is not in a tree of {size}")
    return _path(index, 0, size, nodes)


def consistency(old: int, size: int, nodes: Nodes) -> list[bytes]:
    """Proof that the tree of `size` begins with the tree of `old`. Raises `TreeError` where it cannot."""
    if not 0 <= old <= size:
        raise TreeError(f"a tree of {size} does not begin with one of {old}")
    return [] if old in {0, size} else _subproof(old, 0, size, nodes, whole=True)


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """Raises `ProofError` unless `path` leads from the leaf hash to the `expected` root."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if not last:
            raise ProofError(f"inclusion: {len(path)} hashes are too many for leaf {index} of {size}")
        if at & 1 or at == last:
            found = hashes.node(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hashes.node(found, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofError(f"inclusion: {len(path)} hashes are too few for leaf {index} of {size}")
    if found != expected:
        raise ProofError(f"inclusion: leaf {index} of {size} does not lead to the root")


def check_consistency(old: int, size: int, path: Sequence[bytes], before: bytes, after: bytes) -> None:
    """Raises `ProofError` unless the tree of `size` with root `after` begins with that of `old` with root `before`."""
    if not 0 <= old <= size:
        raise ProofError(f"consistency: a tree of {size} does not begin with one of {old}")
    if old in {0, size}:
        _check_trivial(old, size, path, before, after)
        return
    hashes_left = [before, *path] if not old & (old - 1) else list(path)
    if not hashes_left:
        raise ProofError(f"consistency: no hashes from {old} to {size}")
    at, last = _strip(old - 1, size - 1)
    first = second = hashes_left[0]
    for sibling in hashes_left[1:]:
        if not last:
            raise ProofError(f"consistency: {len(path)} hashes are too many from {old} to {size}")
        if at & 1 or at == last:
            first, second = hashes.node(sibling, first), hashes.node(sibling, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = hashes.node(second, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofError(f"consistency: {len(path)} hashes are too few from {old} to {size}")
    if first != before or second != after:
        raise ProofError(f"consistency: the tree of {size} does not begin with the tree of {old}")


def _check_trivial(old: int, size: int, path: Sequence[bytes], before: bytes, after: bytes) -> None:
    if path:
        raise ProofError(f"consistency: from {old} to {size} there is nothing to prove, yet there are hashes")
    if before != (hashes.EMPTY_ROOT if not old else after):
        raise ProofError(f"consistency: two trees of {old} leaves differ")


def _strip(at: int, last: int) -> tuple[int, int]:
    while at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _split(start: int, end: int) -> int:
    """Where a range falls in two: the largest power of two below its length."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _range(start: int, end: int, nodes: Nodes) -> bytes:
    """Hash over leaves start…end, start being a multiple of every power of two that the range needs."""
    length = end - start
    if not length & (length - 1):
        height = length.bit_length() - 1
        return nodes(height, start >> height)
    middle = _split(start, end)
    return hashes.node(_range(start, middle, nodes), _range(middle, end, nodes))


def _path(index: int, start: int, end: int, nodes: Nodes) -> list[bytes]:
    if end - start == 1:
        return []
    middle = _split(start, end)
    if index < middle:
        return [*_path(index, start, middle, nodes), _range(middle, end, nodes)]
    return [*_path(index, middle, end, nodes), _range(start, middle, nodes)]


def _subproof(old: int, start: int, end: int, nodes: Nodes, *, whole: bool) -> list[bytes]:
    if old == end:
        return [] if whole else [_range(start, end, nodes)]
    middle = _split(start, end)
    if old <= middle:
        return [*_subproof(old, start, middle, nodes, whole=whole), _range(middle, end, nodes)]
    return [*_subproof(old, middle, end, nodes, whole=False), _range(start, middle, nodes)]
