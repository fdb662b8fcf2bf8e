"""Where the newest record of every key lies, in few bytes per key. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROW: Final = np.dtype([("key", "<i8"), ("offset", "<i8"), ("size", "<u4"), ("partition", "<u2")])
BYTES_PER_KEY: Final = _ROW.itemsize
"""At rest. While rows are merged, up to four times as many."""
_PENDING = 65_536
_GROWTH = 4
_LARGEST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """One record: where it is, and how many bytes its value has."""

    partition: int
    offset: int
    size: int


class KeyIndex:
    """Keys are kept as 64-bit hashes (Python's own, keyed anew in every process). Two keys with one hash are one row:
    whoever reads a place compares the record's key. Of `most` keys and no more the place is kept, chosen by hash.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: NDArray[np.void] = np.empty(0, _ROW)
        self._pending: list[tuple[int, int, int, int]] = []
        self.left_out = 0
        """Keys for which there was no room, those counted that came again."""

    def __len__(self) -> int:
        """Keys whose place is kept."""
        self._merge()
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Bytes at rest."""
        self._merge()
        return int(self._rows.nbytes)

    def add(self, key: bytes, place: Place) -> None:
        """A newer record of a key. A size of 0 says that there is nothing to read (a Kafka null)."""
        self._pending.append((hash(key), place.offset, min(place.size, _LARGEST), place.partition))
        if len(self._pending) >= max(_PENDING, len(self._rows) // _GROWTH):
            self._merge()

    def find(self, keys: Sequence[bytes]) -> list[Place | None]:
        """The newest place of each key; None where none is known or nothing is there."""
        self._merge()
        rows = self._rows
        if not len(rows):
            return [None] * len(keys)
        hashes = np.fromiter((hash(key) for key in keys), np.int64, len(keys))
        at = np.minimum(np.searchsorted(rows["key"], hashes), len(rows) - 1)
        found = rows[at]
        there = (found["key"] == hashes) & (found["size"] > 0)
        return [
            Place(int(row["partition"]), int(row["offset"]), int(row["size"])) if known else None
            for row, known in zip(found, there, strict=True)
        ]

    def _merge(self) -> None:
        if not self._pending:
            return
        rows = np.concatenate([self._rows, np.array(self._pending, _ROW)])
        self._pending = []
        # Stable: of equal hashes the last one added stays last, and is the newest.
        rows = rows[np.argsort(rows["key"], kind="stable")]
        newest = np.append(rows["key"][1:] != rows["key"][:-1], True)
        rows = rows[newest]
        self.left_out += max(0, len(rows) - self._most)
        self._rows = rows[: self._most].copy()
