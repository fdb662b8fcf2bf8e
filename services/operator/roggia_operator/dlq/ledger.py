"""What became of letters: places in few bytes, as jobs keep them, and all jobs' places together.

A letter that no job names is open. Places are kept per partition as sorted offsets; their differences compress to a
byte or two each, so that a job of a hundred thousand letters fits into one record.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from roggia_operator.dlq.letters import Place

MAX_UNPACKED = 16 << 20


class Fate(StrEnum):
    """What a job did with a letter."""

    REDRIVEN = "redriven"
    """Sent to the lane."""
    OVERTAKEN = "overtaken"
    """Not sent: something newer of its key lies on the live topic."""
    DUPLICATE = "duplicate"
    """Not sent: a newer letter holds the same record."""
    DROPPED = "dropped"
    """Given up by an operator, with a reason."""


Packed: TypeAlias = dict[str, dict[str, str]]
"""Fate → `topic/partition` → offsets, packed."""
_Offsets: TypeAlias = NDArray[np.int64]


def pack(offsets: Iterable[int]) -> str:
    """Offsets as text: sorted, differences, zlib, base64."""
    sorted_ = np.unique(np.fromiter(offsets, np.int64))
    return base64.b64encode(zlib.compress(np.diff(sorted_, prepend=0).astype("<i8").tobytes())).decode()


def unpack(text: str) -> _Offsets:
    """The sorted offsets of `pack`. Raises `ValueError` for what is none."""
    try:
        unzip = zlib.decompressobj()
        found = unzip.decompress(base64.b64decode(text, validate=True), MAX_UNPACKED)
    except (zlib.error, binascii.Error) as error:
        raise ValueError(f"not packed offsets: {error}") from error
    if unzip.unconsumed_tail:
        raise ValueError(f"packed offsets exceed {MAX_UNPACKED} bytes")
    return np.cumsum(np.frombuffer(found, "<i8"), dtype=np.int64)


class Ledger:
    """The fate of every letter that a job named. The job added last wins."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int], list[tuple[Fate, str, _Offsets]]] = {}

    def add(self, job_id: str, packed: Mapping[str, Mapping[str, str]]) -> None:
        """Add a job's places. Raises `ValueError` for what cannot be read."""
        for fate, partitions in packed.items():
            for name, offsets in partitions.items():
                topic, _, number = name.rpartition("/")
                self._places.setdefault((topic, int(number)), []).append((Fate(fate), job_id, unpack(offsets)))

    def fate(self, place: Place) -> tuple[Fate, str] | None:
        """What became of a letter and by which job; None while it is open."""
        for fate, job_id, offsets in reversed(self._places.get((place.topic, place.partition), ())):
            at = int(np.searchsorted(offsets, place.offset))
            if at < offsets.size and offsets[at] == place.offset:
                return fate, job_id
        return None


class Closing:
    """Places that one job closes, growing."""

    def __init__(self, packed: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._sets: dict[Fate, dict[str, set[int]]] = {}
        for fate, partitions in (packed or {}).items():
            self._sets[Fate(fate)] = {name: {int(o) for o in unpack(text)} for name, text in partitions.items()}

    def add(self, fate: Fate, place: Place) -> None:
        """Close one letter."""
        self._sets.setdefault(fate, {}).setdefault(f"{place.topic}/{place.partition}", set()).add(place.offset)

    def __contains__(self, place: Place) -> bool:
        name = f"{place.topic}/{place.partition}"
        return any(place.offset in partitions.get(name, ()) for partitions in self._sets.values())

    def packed(self) -> Packed:
        """As a job's record keeps it."""
        return {
            fate.value: {name: pack(offsets) for name, offsets in partitions.items()}
            for fate, partitions in self._sets.items()
        }

    def counts(self) -> dict[str, int]:
        """Letters by fate."""
        return {fate.value: sum(map(len, partitions.values())) for fate, partitions in self._sets.items()}
