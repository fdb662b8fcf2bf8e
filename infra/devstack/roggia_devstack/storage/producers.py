"""What a partition knows about its producers: sequences of idempotent ones, open and aborted transactions.

Rules are Kafka's (KIP-98, KIP-360): sequences follow one another per producer epoch, the last five batches of a
producer can be recognised when they come again, a newer epoch shuts an older one out.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from roggia_devstack.storage.batch import Header
from roggia_devstack.storage.errors import (
    InvalidBatchError,
    OutOfOrderSequenceError,
    StaleProducerEpochError,
    TransactionStateError,
)
from roggia_devstack.storage.values import AbortedTransaction

REMEMBERED_BATCHES = 5
EXPIRY_MS = 86_400_000
_LAST_SEQUENCE = 0x7FFFFFFF


class SentBatch(msgspec.Struct, frozen=True, array_like=True):
    """A batch that can be recognised: sequences and offsets of its first and last record."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    last_offset: int


class Producer(msgspec.Struct, array_like=True):
    """Newest epoch, last batches in it (oldest first), and the wall time of the last one."""

    epoch: int
    batches: list[SentBatch]
    seen_ms: int


class ProducerState(msgspec.Struct):
    """All producers of one partition. `open` maps a producer to the first offset of its open transaction."""

    producers: dict[int, Producer] = msgspec.field(default_factory=dict)
    open: dict[int, int] = msgspec.field(default_factory=dict)
    aborted: list[AbortedTransaction] = msgspec.field(default_factory=list)

    def check(self, header: Header) -> SentBatch | None:
        """Judge a producer's batch before it is written; return the earlier batch when this is its duplicate.

        Raises `StaleProducerEpochError`, `OutOfOrderSequenceError`, `TransactionStateError`, `InvalidBatchError`.
        """
        pid, sequence = header.producer_id, header.base_sequence
        if header.producer_epoch < 0 or sequence < 0:
            raise InvalidBatchError(f"producer {pid}: epoch {header.producer_epoch} or sequence {sequence} is negative")
        known = self.producers.get(pid)
        if known is None:
            return None
        if header.producer_epoch < known.epoch:
            raise StaleProducerEpochError(f"producer {pid}: epoch {header.producer_epoch} is older than {known.epoch}")
        if header.producer_epoch == known.epoch:
            for sent in known.batches:
                if sent.first_sequence == sequence and sent.last_sequence == header.last_sequence:
                    return sent
        _check_sequence(known, header)
        if not header.transactional and pid in self.open:
            raise TransactionStateError(f"producer {pid}: its transaction is open, this batch belongs to none")
        return None

    def update(self, header: Header, base_offset: int, now_ms: int) -> None:
        """Remember a batch that was written at `base_offset`."""
        known = self.producers.get(header.producer_id)
        if known is None or known.epoch != header.producer_epoch:
            known = self.producers[header.producer_id] = Producer(header.producer_epoch, [], now_ms)
        last_offset = base_offset + header.last_offset_delta
        known.batches.append(SentBatch(header.base_sequence, header.last_sequence, base_offset, last_offset))
        del known.batches[:-REMEMBERED_BATCHES]
        known.seen_ms = now_ms
        if header.transactional:
            self.open.setdefault(header.producer_id, base_offset)

    def check_marker(self, producer_id: int, epoch: int) -> None:
        """Raise `StaleProducerEpochError` when a marker comes from an older coordinator's view of the producer."""
        known = self.producers.get(producer_id)
        if known is not None and epoch < known.epoch:
            raise StaleProducerEpochError(f"producer {producer_id}: marker of epoch {epoch}, now at {known.epoch}")

    def end(self, header: Header, offset: int, *, commit: bool) -> None:
        """Close the producer's transaction with the marker at `offset`; a marker without one only raises the epoch."""
        known = self.producers.get(header.producer_id)
        if known is None or known.epoch < header.producer_epoch:
            self.producers[header.producer_id] = Producer(header.producer_epoch, [], header.max_timestamp)
        else:
            known.seen_ms = header.max_timestamp
        first = self.open.pop(header.producer_id, None)
        if first is not None and not commit:
            self.aborted.append(AbortedTransaction(header.producer_id, first, offset))

    def first_undecided(self, end: int) -> int:
        """First offset of the oldest open transaction, or `end` when none is open."""
        return min(self.open.values()) if self.open else end

    def aborted_between(self, start: int, end: int) -> list[tuple[int, int]]:
        """(producer_id, first_offset) of aborted transactions that touch [start, end)."""
        return [
            (a.producer_id, a.first_offset) for a in self.aborted if a.first_offset < end and a.marker_offset >= start
        ]

    def forget_aborted(self, gone: Iterable[AbortedTransaction]) -> None:
        """Drop transactions none of whose records is left."""
        dropped = set(gone)
        self.aborted = [entry for entry in self.aborted if entry not in dropped]

    def forget_before(self, offset: int) -> None:
        """Drop aborted transactions that ended before the log's start."""
        self.aborted = [entry for entry in self.aborted if entry.marker_offset >= offset]

    def expire(self, now_ms: int) -> None:
        """Drop producers that wrote nothing for a day and have no open transaction."""
        old = [
            pid for pid, known in self.producers.items() if known.seen_ms < now_ms - EXPIRY_MS and pid not in self.open
        ]
        for pid in old:
            del self.producers[pid]


def _check_sequence(known: Producer, header: Header) -> None:
    if header.producer_epoch > known.epoch or not known.batches:
        expected = 0
    else:
        last = known.batches[-1].last_sequence
        expected = 0 if last == _LAST_SEQUENCE else last + 1
    if header.base_sequence != expected:
        raise OutOfOrderSequenceError(
            f"producer {header.producer_id}: sequence {header.base_sequence}, expected {expected}"
        )
