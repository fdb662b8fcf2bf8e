"""One stream's records, read from the first to the last: what each says of itself, and what tree they make."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from roggia_auditor.errors import LedgerError, TreeError
from roggia_auditor.heads.seal import LogHead
from roggia_auditor.ledger.model import Head, Row, Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog import hashes
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.frontier import Frontier, TileHash
from roggia_auditor.tlog.tiles import WIDTH, Tile

_PAGE = 1_000


class Finding(NamedTuple):
    """Something that does not hold, and where."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class Wanted(NamedTuple):
    """A log by its name, its stream, where the ledger says that it is, and its sizes that were signed."""

    name: str
    stream: Stream
    head: Head
    sealed: LogHead | None
    kept: Checkpoint | None


@dataclass(slots=True)
class Scanned:
    """What the records say: each tenant's last number, now and at the sealed size, and the root at that size."""

    findings: list[Finding] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    sealed_last: dict[str, int] = field(default_factory=dict)
    sealed_root: bytes = b""


async def scan(ledger: Ledger, wanted: Wanted) -> Scanned:
    """Read a stream. Its first missing record ends the reading. Raises `LedgerUnavailableError`."""
    found, edge, tiles, offset = Scanned(), Frontier(), list[TileHash](), -1
    roots = {0: edge.root()}
    sizes = {one.size for one in (wanted.sealed, wanted.kept) if one is not None}
    _at_seal(found, wanted, edge)
    try:
        async for row in _rows(ledger, wanted.stream):
            if row.index != edge.size:
                found.findings.append(_at(wanted, edge.size, "is missing"))
                break
            leaf, says = hashes.leaf(row.leaf.encoded()), _wrong(row, wanted.stream, offset, found.last)
            if row.leaf_hash != leaf:
                found.findings.append(_at(wanted, row.index, "its leaf hash is not that of its entry"))
            found.findings += [_at(wanted, row.index, wrong) for wrong in says]
            edge, made = edge.grown([leaf])
            tiles, offset = tiles + made, row.leaf.offset
            if edge.size in sizes:
                roots[edge.size] = edge.root()
            _at_seal(found, wanted, edge)
    except LedgerError as error:
        found.findings.append(Finding(wanted.name, str(error)))
    found.findings += _ends(wanted, edge, roots)
    found.findings += [one async for one in _tiles(ledger, wanted, edge.size, tiles)]
    return found


def _at_seal(found: Scanned, wanted: Wanted, edge: Frontier) -> None:
    if wanted.sealed is not None and edge.size == wanted.sealed.size:
        found.sealed_last, found.sealed_root = dict(found.last), edge.root()


async def _rows(ledger: Ledger, stream: Stream) -> AsyncIterator[Row]:
    start = 0
    while rows := await ledger.rows(stream, start, _PAGE):
        for row in rows:
            yield row
        start = rows[-1].index + 1


def _wrong(row: Row, stream: Stream, offset: int, last: dict[str, int]) -> Iterator[str]:
    """What is wrong with one record; counts its tenant's number."""
    leaf = row.leaf
    if hashlib.sha256(row.value).digest() != leaf.value_sha256:
        yield "its value is not the one that was logged"
    if (leaf.topic_id, leaf.partition) != (stream.topic_id, stream.partition):
        yield "its entry is of another log"
    if leaf.offset <= offset:
        yield f"its offset {leaf.offset} comes behind {offset}"
    expected = last.get(leaf.tenant, 0) + 1 if leaf.tenant else 0
    if leaf.tenant_seq != expected:
        yield f"number {leaf.tenant_seq} of tenant {leaf.tenant}, where {expected} was to come"
    if leaf.tenant:
        last[leaf.tenant] = leaf.tenant_seq


def _ends(wanted: Wanted, edge: Frontier, roots: dict[int, bytes]) -> Iterator[Finding]:
    """The records' tree against the ledger's own head, and against the sizes that were signed."""
    if edge != wanted.head.frontier:
        said = wanted.head.frontier.size
        what = f"{edge.size} records, the head says {said}" if edge.size != said else "they make another right edge"
        yield Finding(f"{wanted.name}: head", what)
    for one in (wanted.sealed, wanted.kept):
        if one is None:
            continue
        if one.size > edge.size:
            yield _at(wanted, edge.size, f"is missing: {one.size} were signed")
        elif roots[one.size] != one.root:
            yield Finding(f"{wanted.name}: records before {one.size}", "they do not lead to the root that was signed")


async def _tiles(ledger: Ledger, wanted: Wanted, size: int, made: list[TileHash]) -> AsyncIterator[Finding]:
    """Tiles above level 0 against those that the records make: all of them, and no more."""
    by_level: dict[int, list[bytes]] = {level: [] for level in range(1, size.bit_length() // 8 + 2)}
    for one in made:
        by_level[one.level].append(one.hash)
    for level, expected in by_level.items():
        for start in range(0, len(expected), WIDTH):
            tile = Tile(level, start // WIDTH, min(WIDTH, len(expected) - start))
            if await _held(ledger, wanted.stream, tile) != expected[start : start + tile.width]:
                yield Finding(f"{wanted.name}: {tile.path()}", "it is not what the records make")
        beyond = Tile(level, len(expected) // WIDTH, len(expected) % WIDTH + 1)
        if await _held(ledger, wanted.stream, beyond) is not None:
            yield Finding(f"{wanted.name}: {beyond.path()}", "it holds more than the records make")


async def _held(ledger: Ledger, stream: Stream, tile: Tile) -> list[bytes] | None:
    try:
        return list(await ledger.tile(stream, tile))
    except TreeError:
        return None


def _at(wanted: Wanted, index: int, what: str) -> Finding:
    return Finding(f"{wanted.name}: record {index}", what)
