"""What the storage engine hands to the broker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TopicMeta:
    """A topic as it is stored. `config` holds only what was set; `storage.config.DEFAULTS` has the rest."""

    name: str
    topic_id: UUID
    partitions: int
    config: Mapping[str, str]


class AppendResult(NamedTuple):
    """Where a batch went. A duplicate of one of the producer's last five batches gets its first offsets again.

    `append_time_ms` is -1 unless the topic's message.timestamp.type is LogAppendTime.
    """

    base_offset: int
    last_offset: int
    duplicate: bool
    append_time_ms: int = -1


class AbortedTransaction(NamedTuple):
    """A transaction that ended in an abort: its producer, its first record and its marker on this partition."""

    producer_id: int
    first_offset: int
    marker_offset: int


class ReadResult(NamedTuple):
    """Whole record batches from one segment, and the offsets a fetch answer carries.

    `data` starts with the batch that holds the offset asked for and is empty only at the end of what may be read.
    `aborted` lists (producer_id, first_offset) of aborted transactions that touch `data`; empty unless committed.
    """

    data: bytes
    high_watermark: int
    last_stable_offset: int
    log_start_offset: int
    aborted: list[tuple[int, int]]
