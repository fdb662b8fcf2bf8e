"""What one leaf of the head log commits to: every log's tree, and every tenant's last number in each. Pure.

A leaf is a whole state, not a change: whoever has the newest one has all there was to know. So nothing older can be
shown in its place, a partition cannot be left out, and a tenant that is proven to be in it has no record that its
numbers do not count: it has one place among the tenants, and cannot be there twice with other numbers.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from roggia_auditor.errors import TreeError
from roggia_auditor.tlog import hashes, proofs, trie
from roggia_auditor.tlog.checkpoint import Checkpoint

HEADER = "roggia-audit-head/2"
FIRST = "roggia-audit-head/1"
"""Of leaves whose tenants are in a tree by their order: in it one could be twice. Still read, written no more."""


class LogHead(NamedTuple):
    """One log at one size, and the next offset of its partition."""

    origin: str
    size: int
    root: bytes
    next_offset: int

    def checkpoint(self) -> Checkpoint:
        """What its own checkpoint says."""
        return Checkpoint(self.origin, self.size, self.root)

    def encoded(self) -> bytes:
        """Its leaf in the tree of logs."""
        return f"{self.origin}\n{self.size}\n{_text(self.root)}\n{self.next_offset}\n".encode()


class TenantHead(NamedTuple):
    """One tenant's last number in every log that holds records of it, by origin."""

    tenant: str
    last: tuple[tuple[str, int], ...]

    def encoded(self) -> bytes:
        """Its leaf in the tree of tenants."""
        return "".join([f"{self.tenant}\n", *(f"{origin}\n{number}\n" for origin, number in self.last)]).encode()


class Head(NamedTuple):
    """The head log's leaf: sizes and roots of both trees."""

    logs: int
    logs_root: bytes
    tenants: int
    tenants_root: bytes
    header: str = HEADER

    def encoded(self) -> bytes:
        """The entry."""
        return (
            f"{self.header}\n{self.logs}\n{_text(self.logs_root)}\n{self.tenants}\n{_text(self.tenants_root)}\n"
        ).encode()


@dataclass(frozen=True, slots=True)
class Seal:
    """A state with both its trees: what proofs under its leaf are made from."""

    logs: tuple[LogHead, ...]
    tenants: tuple[TenantHead, ...]

    def head(self, header: str = HEADER) -> Head:
        """Its leaf, of one of both kinds."""
        logs = _leaves(self.logs)
        tenants = _root(_leaves(self.tenants)) if header == FIRST else trie.root(self._by_name())
        return Head(len(logs), _root(logs), len(self.tenants), tenants, header)

    def log(self, origin: str) -> tuple[int, LogHead, list[bytes]]:
        """A log's place among the logs, its leaf and its path. Raises `TreeError` for one that is not there."""
        index = next((n for n, one in enumerate(self.logs) if one.origin == origin), -1)
        return index, self.logs[index], _path(_leaves(self.logs), index)

    def tenant(self, name: str) -> tuple[TenantHead, trie.Path]:
        """A tenant's leaf and its path. Raises `TreeError` for one that is not there."""
        way = trie.path(self._by_name(), name)
        return next(one for one in self.tenants if one.tenant == name), way

    def _by_name(self) -> Mapping[str, bytes]:
        return {one.tenant: hashes.leaf(one.encoded()) for one in self.tenants}


def seal(logs: Sequence[LogHead], last: Mapping[str, Mapping[str, int]]) -> Seal:
    """The state of logs and, by tenant and origin, of last numbers; both in order of their names."""
    tenants = (TenantHead(name, tuple(sorted(held.items()))) for name, held in sorted(last.items()))
    return Seal(tuple(sorted(logs)), tuple(tenants))


def header_of(entry: bytes) -> str:
    """Of which kind a leaf of the head log is; empty for one that is no state."""
    first = entry.partition(b"\n")[0].decode(errors="replace")
    return first if first in (HEADER, FIRST) else ""


def _leaves(ones: Sequence[LogHead] | Sequence[TenantHead]) -> list[bytes]:
    return [hashes.leaf(one.encoded()) for one in ones]


def _root(leaves: Sequence[bytes]) -> bytes:
    return proofs.root(len(leaves), _nodes(leaves))


def _path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    if index < 0:
        raise TreeError("the head log does not hold it")
    return proofs.inclusion(index, len(leaves), _nodes(leaves))


def _nodes(leaves: Sequence[bytes]) -> proofs.Nodes:
    """Of a small tree that is at hand whole."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([hashes.node(below[n], below[n + 1]) for n in range(0, len(below) - 1, 2)])
    return lambda height, index: levels[height][index]


def _text(found: bytes) -> str:
    return base64.b64encode(found).decode()
