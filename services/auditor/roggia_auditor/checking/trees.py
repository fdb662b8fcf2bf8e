"""One log from its first leaf to its last: entries, numbers, tiles, root and checkpoint. Memory: one page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from roggia_auditor.checking import records
from roggia_auditor.checking.report import Looked, Report
from roggia_auditor.leaf import Leaf
from roggia_auditor.ledger.model import Head, Stream
from roggia_auditor.ports import Stored
from roggia_auditor.retention.ports import KeptLedger
from roggia_auditor.retention.segment import Moved
from roggia_auditor.tlog import hashes
from roggia_auditor.tlog.frontier import TILE_HEIGHT, Frontier, TileHash
from roggia_auditor.tlog.tiles import WIDTH, Tile

PAGE = 2_000


class Mark(NamedTuple):
    """What a log's first records make: their root, and each tenant's last number.

    `last` is None where numbers were not looked at, or records before were dropped.
    """

    root: bytes
    last: Mapping[str, int] | None


class TreeCheck:
    """The check of one log as it was when the check began, with `head` and, by tenant, the last numbers `last`.

    `quick` looks at hashes alone: neither at what entries say, nor at numbers.
    `marks` are sizes that somebody has signed; `at` says, once `run` has passed them, what the records make there.
    """

    def __init__(
        self,
        ledger: KeptLedger,
        stream: Stream,
        head: Head,
        report: Report,
        *,
        marks: Collection[int] = (),
        quick: bool = False,
    ) -> None:
        self._ledger, self._stream, self._head, self._report = ledger, stream, head, report
        self._marks, self._quick = frozenset(marks), quick
        self._frontier, self._whole = Frontier(), True
        self._last: dict[str, int] = {}
        self._offset = -1
        self._moved: Sequence[Moved] = ()
        self._since_gap: set[str] | None = None
        self.at: dict[int, Mark] = {0: Mark(self._frontier.root(), {})} if 0 in self._marks else {}
        self._last_at: dict[int, Mapping[str, int]] = {}

    async def run(self, last: dict[str, int], looked: Looked) -> None:
        """Check every leaf, then what they make."""
        size, at = self._head.frontier.size, 0
        self._moved = await self._ledger.moved(self._stream)
        while at < size:
            page = await self._ledger.stored(self._stream, at, min(PAGE, size - at))
            if not page or page[0].leaf_index >= size:
                break
            await self._page([one for one in page if one.leaf_index < size], at)
            looked(len(page))
            at = page[-1].leaf_index + 1
        if at < size:
            await self._gap(at, size)
        if not self._quick:
            self._numbers(last)
        await self._edges()

    async def _page(self, page: Sequence[Stored], expected: int) -> None:
        grown: list[bytes] = []
        for one in page:
            if one.leaf_index != expected:
                await self._grow(grown)
                grown = []
                await self._gap(expected, one.leaf_index)
            expected = one.leaf_index + 1
            grown.append(self._hashed(one) if self._quick else self._looked_at(one))
        self._report.records += len(page)
        await self._grow(grown)

    def _hashed(self, one: Stored) -> bytes:
        found = hashes.leaf(one.entry)
        if found != one.leaf_hash or not records.is_value(one):
            self._report.add(self._place(one.leaf_index), "hash: entry, value and leaf hash do not belong together")
        return found

    def _looked_at(self, one: Stored) -> bytes:
        leaf = records.leaf_of(one)
        for what in records.wrong(one, leaf, self._stream):
            self._report.add(self._place(one.leaf_index), what)
        if leaf is not None:
            self._order(one.leaf_index, leaf)
        if one.leaf_index + 1 in self._marks and self._since_gap is None:
            self._last_at[one.leaf_index + 1] = dict(self._last)
        return hashes.leaf(one.entry)

    def _order(self, index: int, leaf: Leaf) -> None:
        if not self._offset < leaf.offset < self._head.next_offset:
            self._report.add(self._place(index), f"entry: offset {leaf.offset} does not follow {self._offset}")
        self._offset = leaf.offset
        due = self._last.get(leaf.tenant, 0) + 1 if leaf.tenant else 0
        if leaf.tenant_seq != due and not (self._may_jump(leaf.tenant) and leaf.tenant_seq > due):
            what = f"tenant_seq: {leaf.tenant or 'nobody'} has {leaf.tenant_seq} where {due} is due"
            self._report.add(self._place(index), what)
        if leaf.tenant:
            self._last[leaf.tenant] = leaf.tenant_seq
            if self._since_gap is not None:
                self._since_gap.add(leaf.tenant)

    def _may_jump(self, tenant: str) -> bool:
        """Whether records of a tenant may have been dropped since its last one."""
        return bool(tenant) and self._since_gap is not None and tenant not in self._since_gap

    async def _gap(self, start: int, end: int) -> None:
        """Leaves without a record: of a segment that was dropped their hashes stand for them; others are missing."""
        for span, dropped in self._moved:
            if dropped and span.first <= start < end and start < span.end:
                until = min(end, span.end)
                await self._hashes_alone(start, until)
                start = until
        if start < end:
            self._missing(start, end)

    async def _hashes_alone(self, start: int, end: int) -> None:
        self._since_gap = set()
        self._report.note(f"{self._place(start)} to {end - 1}: dropped; their hashes are there, and nothing else")
        size = self._head.frontier.size
        for index in range(start // WIDTH, (end - 1) // WIDTH + 1):
            first = index * WIDTH
            held = await self._ledger.tile(self._stream, Tile(0, index, min(WIDTH, size - first)))
            await self._grow(held[max(start - first, 0) : end - first])

    async def _grow(self, leaves: Sequence[bytes]) -> None:
        if not self._whole:
            return
        tiles: list[TileHash] = []
        size, at = self._frontier.size, 0
        for cut in [*sorted(mark - size for mark in self._marks if size < mark < size + len(leaves)), len(leaves)]:
            self._frontier, more = self._frontier.grown(leaves[at:cut])
            tiles, at = tiles + more, cut
            self._mark()
        await self._tiles(tiles)

    def _mark(self) -> None:
        size = self._frontier.size
        if size in self._marks:
            self.at[size] = Mark(self._frontier.root(), self._last_at.get(size, {} if not size else None))

    async def _tiles(self, made: Sequence[TileHash]) -> None:
        levels: dict[int, list[TileHash]] = defaultdict(list)
        for one in made:
            levels[one.level].append(one)
        for level, ones in levels.items():
            held = dict(await self._ledger.tile_hashes(self._stream, level, ones[0].index, len(ones)))
            for one in ones:
                if held.get(one.index) != one.hash:
                    said = "is missing" if one.index not in held else "is not that of the leaves below it"
                    self._report.add(f"{self._name()} tile {level}/{one.index}", f"the hash {said}")

    async def _edges(self) -> None:
        """The frontier, and that nothing lies beyond it, unless the log has grown since."""
        head, size = self._head, self._head.frontier.size
        if self._whole and self._frontier != head.frontier:
            self._report.add(self._name(), f"head: the root of its {size} leaves is not that of its entries")
        now = (await self._ledger.heads([self._stream])).get(self._stream, Head())
        if now.frontier.size != size:
            return
        if behind := await self._ledger.stored(self._stream, size, 1):
            self._report.add(self._place(behind[0].leaf_index), "it lies beyond the end of the log")
        level = 1
        while True:
            count = size >> TILE_HEIGHT * level
            if await self._ledger.tile_hashes(self._stream, level, count, 1):
                self._report.add(f"{self._name()} tile {level}/{count}", "it lies beyond the end of the log")
            if not count:
                return
            level += 1

    def _numbers(self, last: dict[str, int]) -> None:
        for tenant in sorted(last.keys() | self._last.keys()):
            gone = self._may_jump(tenant) and last.get(tenant, 0) > self._last.get(tenant, 0)
            if last.get(tenant, 0) != self._last.get(tenant, 0) and not gone:
                what = f"the last number is {last.get(tenant, 0)}, its records end at {self._last.get(tenant, 0)}"
                self._report.add(f"{self._name()} tenant {tenant}", what)

    def _missing(self, start: int, end: int) -> None:
        self._whole = False  # what follows cannot make the tree again
        many = f" to {end - 1}" if end - start > 1 else ""
        self._report.add(f"{self._place(start)}{many}", "missing")

    def _place(self, index: int) -> str:
        return f"{self._name()} leaf {index}"

    def _name(self) -> str:
        return f"{self._stream.topic}/{self._stream.topic_id}/{self._stream.partition}"
