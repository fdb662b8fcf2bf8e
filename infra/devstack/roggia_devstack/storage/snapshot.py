"""Checkpoint of a partition: what its segments alone cannot say, and from where the segments must be read again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from roggia_devstack.storage.files import read_sealed, write_sealed
from roggia_devstack.storage.producers import ProducerState

NEVER_MS = 2**63 - 1


class Snapshot(msgspec.Struct):
    """State of a log up to `position` in the segment that starts at `segment`.

    `first_dirty`: offset up to which compaction has seen the log. `horizon_ms`: when the next tombstone or marker may
    go.
    """

    segment: int
    position: int
    start_offset: int
    first_dirty: int
    horizon_ms: int
    producers: ProducerState

    def save(self, folder: Path) -> None:
        """Replace the folder's checkpoint."""
        write_sealed(folder / "snapshot", msgspec.msgpack.encode(self))

    @classmethod
    def load(cls, folder: Path) -> Snapshot | None:
        """Read the folder's checkpoint; None when there is none or it is damaged: then everything is read again."""
        content = read_sealed(folder / "snapshot")
        return None if content is None else msgspec.msgpack.decode(content, type=cls)
