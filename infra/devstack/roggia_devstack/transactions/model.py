"""A transaction as the coordinator keeps it, in memory and on disk."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from roggia_devstack.groups.offsets import Committed, TopicPartition

LAST_EPOCH: Final = 32_766
"""An epoch is 16 bits; the one after this is kept for fencing, then a new producer id is taken."""


class TransactionState(enum.Enum):
    """States, with the names that clients are shown."""

    EMPTY = "Empty"
    ONGOING = "Ongoing"
    PREPARE_COMMIT = "PrepareCommit"
    PREPARE_ABORT = "PrepareAbort"
    COMPLETE_COMMIT = "CompleteCommit"
    COMPLETE_ABORT = "CompleteAbort"


PREPARED: Final = (TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT)


@dataclass(frozen=True, slots=True)
class Producer:
    """Which instance of a producer speaks."""

    id: int
    epoch: int


@dataclass(slots=True)
class Transaction:
    """A transactional id and its current or last transaction. Times are milliseconds since 1970.

    `renewed_from_epoch` is the epoch that the same instance had before it asked for a new one, until it begins
    something: should it not have heard the answer, it asks again under the old one.
    """

    transactional_id: str
    producer: Producer
    timeout_ms: int
    state: TransactionState = TransactionState.EMPTY
    started_ms: int = -1
    partitions: set[TopicPartition] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    offsets: dict[str, dict[TopicPartition, Committed]] = field(default_factory=dict)
    renewed_from_epoch: int = -1

    def clear(self, state: TransactionState) -> None:
        """The transaction is over, or none has begun."""
        self.state = state
        self.started_ms = -1
        self.partitions = set()
        self.groups = set()
        self.offsets = {}

    def begin(self, now_ms: int) -> None:
        """The first partition or group makes a transaction of it."""
        if self.state is not TransactionState.ONGOING:
            self.clear(TransactionState.ONGOING)
            self.renewed_from_epoch = -1
            self.started_ms = now_ms

    def as_value(self) -> dict[str, Any]:
        """The form on disk."""
        return {
            "producer_id": self.producer.id,
            "epoch": self.producer.epoch,
            "timeout_ms": self.timeout_ms,
            "state": self.state.value,
            "started_ms": self.started_ms,
            "renewed_from_epoch": self.renewed_from_epoch,
            "partitions": sorted(self.partitions),
            "groups": sorted(self.groups),
            "offsets": {
                group: {json.dumps(partition): position.as_value() for partition, position in commits.items()}
                for group, commits in self.offsets.items()
            },
        }

    @classmethod
    def from_value(cls, transactional_id: str, value: Mapping[str, Any]) -> Transaction:
        """Back from the form on disk."""
        return cls(
            transactional_id,
            Producer(value["producer_id"], value["epoch"]),
            value["timeout_ms"],
            TransactionState(value["state"]),
            value["started_ms"],
            {(topic, partition) for topic, partition in value["partitions"]},
            set(value["groups"]),
            {group: _commits(commits) for group, commits in value["offsets"].items()},
            value["renewed_from_epoch"],
        )


def _commits(commits: Mapping[str, Mapping[str, Any]]) -> dict[TopicPartition, Committed]:
    return {tuple(json.loads(key)): Committed(**value) for key, value in commits.items()}
