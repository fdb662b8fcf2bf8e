"""What the consumer loop hands to a handler, and what a handler answers: records, outputs and verdicts.

This is the whole vocabulary between domain code and Kafka. It knows no client library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

Headers: TypeAlias = tuple[tuple[str, bytes], ...]


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


class Ownership(NamedTuple):
    """What Kafka gives a partition's transactional producer when it takes over: a later owner's is greater.

    Whoever keeps it beside what a partition's records made can tell a member that was declared dead and woke up.
    """

    producer_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the broker holds it. `value` None is a Kafka null (tombstone). `timestamp_ms` is UTC epoch."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Output:
    """One record to produce. The partition follows from the key (murmur2).

    `key` is None only for a dead letter whose source record had none.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The record is processed; `outputs` are produced before its offset is committed."""

    outputs: Sequence[Output] = ()


@dataclass(frozen=True, slots=True)
class Drop:
    """The record changes nothing, on purpose (stale, duplicate). `reason` is a short word; drops are counted by it."""

    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The record can never be processed: it goes to `<topic>.dlq` with its original bytes.

    `kind` groups causes (`schema`, `invalid`, `oversize`, `content`, `policy`, `limit`), `field` names the offending
    field or is empty, `message` names the field, the value and the remedy. `fingerprint` is derived by the loop from
    stage, kind and field. `is_fault`: whether too many such letters stop the consumer (`DlqLimits`). What somebody
    decided, a tenant's limit, is none: there is no cause to find, and the other tenants' records go on.
    """

    kind: str
    message: str
    field: str = ""
    is_fault: bool = True


Verdict: TypeAlias = Done | Drop | DeadLetter


class Handler(Protocol):
    """Domain code of one stage. The loop calls it; it never calls the loop."""

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Judge a micro-batch: exactly one verdict per record, in the order given.

        Records of one partition come in offset order; a batch may mix partitions (at-least-once mode) or hold one
        (transactional mode). The same record may come again after a crash or a rebalance. Raise
        `UnavailableError` when something the stage needs is down: the loop pauses and hands the same batch again.
        Any other exception stops the service before anything of the batch is committed.
        """
        ...


class Ticker(Protocol):
    """Work that a stage does by time instead of by record (expiry). Called under the loop's lock, transactionally."""

    @property
    def interval_s(self) -> float:
        """Seconds between two calls for one partition."""
        ...

    async def tick(self, partition: Partition, position: int) -> Sequence[Output]:
        """Outputs due now for one assigned source partition; produced in one transaction with nothing else.

        `position` is the partition's committed offset. What the stage remembers of records from there on comes from
        a try that was never committed, and will be judged again: nothing may be made of it.
        """
        ...

    async def committed(self, partition: Partition) -> None:
        """The outputs of the last `tick` for this partition are committed: they need not come again.

        Called before the next record of the partition is handled. Not called after a crash or a lost partition: what
        `tick` answers then is what may be committed already, and must be the same bytes.
        """
        ...
