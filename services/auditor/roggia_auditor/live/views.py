"""Views over the partitions that this process reads, each counted by its offsets: nothing counts twice. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from roggia_auditor.live.windows import WINDOWS, Cells, Hit, Key, Series, merged

FOLDED = Key("*", "", "", "", "", "")
"""What is counted of keys beyond the limit, together. No tenant has this name."""
_STEP_MS = max(window.slot_ms for window in WINDOWS)
HORIZON_MS = max(window.minutes for window in WINDOWS) * 60_000
"""How much of the log the longest window needs."""


class AsOf(NamedTuple):
    """How far a partition is counted: its next offset, and the append time of its newest record (0: none yet)."""

    partition: int
    offset: int
    appended_at: int


@dataclass(slots=True)
class _Part:
    next_offset: int = 0
    newest: int = 0
    series: dict[Key, Series] = field(default_factory=dict)


class Views:
    """The state of one process. It holds at most `most` keys: what comes beyond them is counted under `FOLDED`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: dict[int, _Part] = {}
        self.folded = 0
        """Hits that were counted under `FOLDED` since the start."""

    def __len__(self) -> int:
        """Keys that are held."""
        return sum(len(part.series) for part in self._parts.values())

    def begin(self, partition: int) -> None:
        """Forget what was counted of a partition: it is read again."""
        self._parts[partition] = _Part()

    def leave(self, kept: Collection[int]) -> None:
        """Forget all partitions but these: others read them now."""
        self._parts = {number: part for number, part in self._parts.items() if number in kept}

    def take(self, partition: int, offset: int, appended_at: int, hits: Sequence[Hit]) -> bool:
        """Count what a record adds; False for one that is counted already, or of a partition that was not begun."""
        part = self._parts.get(partition)
        if part is None or offset < part.next_offset:
            return False
        part.next_offset = offset + 1
        self._move(part, appended_at)
        for hit in hits:
            if hit.at > part.newest - HORIZON_MS:
                self._series(part, hit.key).add(hit)
        return True

    def as_of(self) -> Sequence[AsOf]:
        """How far each partition is counted."""
        return [AsOf(number, part.next_offset, part.newest) for number, part in sorted(self._parts.items())]

    def read(self, at: int, wanted: Callable[[Key], bool] = lambda _: True) -> Mapping[Key, Cells]:
        """All windows at a moment, of the keys that are wanted and were seen within the longest."""
        found: dict[Key, list[Cells]] = defaultdict(list)
        for part in self._parts.values():
            for key, series in part.series.items():
                if wanted(key):
                    found[key].append(series.read(at))
        sums = {key: merged(several) for key, several in found.items()}
        return {key: cells for key, cells in sums.items() if any(cell.requests or cell.tokens for cell in cells)}

    def newest(self) -> int:
        """Append time of the newest record that was counted; 0 for none."""
        return max((part.newest for part in self._parts.values()), default=0)

    def _move(self, part: _Part, appended_at: int) -> None:
        """The log's time goes on; when it reaches another slot, what no window needs any more is forgotten."""
        before, part.newest = part.newest, max(part.newest, appended_at)
        if part.newest // _STEP_MS > before // _STEP_MS:
            part.series = {key: series for key, series in part.series.items() if series.prune(part.newest)}

    def _series(self, part: _Part, key: Key) -> Series:
        if key not in part.series and len(self) >= self._most:
            self.folded += 1
            key = FOLDED
        return part.series.setdefault(key, Series())
