"""The transaction coordinator.

It runs in the thread that writes the logs, so that a transaction ends within one call: intent on disk, markers into
every partition, offsets, then the end on disk. A crash in between is finished at the next start; a marker written
twice changes nothing. Producers on older protocol versions know INVALID_PRODUCER_EPOCH where newer ones get
PRODUCER_FENCED: `fenced` says which to use.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.broker.signals import Signals
from roggia_devstack.broker.topics import Topics
from roggia_devstack.groups.offsets import Commits, Offsets, TopicPartition
from roggia_devstack.storage import StateStore
from roggia_devstack.storage.errors import UnknownTopicError
from roggia_devstack.transactions.model import LAST_EPOCH, PREPARED, Producer, Transaction, TransactionState
from roggia_devstack.transactions.producer_ids import ProducerIds

KIND: Final = "transaction"
NO_PRODUCER: Final = Producer(-1, -1)
_COMPLETE: Final = {True: TransactionState.COMPLETE_COMMIT, False: TransactionState.COMPLETE_ABORT}
_PREPARE: Final = {True: TransactionState.PREPARE_COMMIT, False: TransactionState.PREPARE_ABORT}
InitOutcome = tuple[ErrorCode, Producer]


class TransactionCoordinator:
    """Every transactional id of this broker. `max_timeout_ms` bounds what a producer may ask for."""

    def __init__(
        self, state: StateStore, topics: Topics, offsets: Offsets, signals: Signals, *, max_timeout_ms: int
    ) -> None:
        self._state = state
        self._topics = topics
        self._offsets = offsets
        self._signals = signals
        self._max_timeout_ms = max_timeout_ms
        self._ids = ProducerIds(state)
        self._transactions = {key: Transaction.from_value(key, value) for key, value in state.items(KIND).items()}
        self._recover()

    def _recover(self) -> None:
        for transaction in self._transactions.values():
            for group, commits in transaction.offsets.items():
                self._offsets.hold(transaction.producer.id, group, commits)
            if transaction.state in PREPARED:
                self._finish(transaction)

    # ---- who writes

    def init(
        self, transactional_id: str | None, timeout_ms: int, expected: Producer = NO_PRODUCER, *, fenced: ErrorCode
    ) -> InitOutcome:
        """Give a producer its id and epoch. An earlier instance of it is fenced, its open transaction aborted."""
        if transactional_id is None:
            return ErrorCode.none, Producer(self._ids.take(), 0)
        if not transactional_id:
            return ErrorCode.invalid_request, NO_PRODUCER
        if not 0 < timeout_ms <= self._max_timeout_ms:
            return ErrorCode.invalid_transaction_timeout, NO_PRODUCER
        transaction = self._transactions.get(transactional_id)
        if transaction is None:
            transaction = Transaction(transactional_id, Producer(self._ids.take(), 0), timeout_ms)
            self._transactions[transactional_id] = transaction
            self._save(transaction)
            return ErrorCode.none, transaction.producer
        if expected.id != -1 and expected != transaction.producer:
            asked_again = expected == Producer(transaction.producer.id, transaction.renewed_from_epoch)
            return (ErrorCode.none, transaction.producer) if asked_again else (fenced, NO_PRODUCER)
        self._fence(transaction)
        transaction.renewed_from_epoch = expected.epoch
        transaction.timeout_ms = timeout_ms
        transaction.producer = self._next_instance(transaction.producer)
        transaction.clear(TransactionState.EMPTY)
        self._save(transaction)
        return ErrorCode.none, transaction.producer

    def _next_instance(self, producer: Producer) -> Producer:
        if producer.epoch >= LAST_EPOCH:
            return Producer(self._ids.take(), 0)
        return Producer(producer.id, producer.epoch + 1)

    def _fence(self, transaction: Transaction) -> None:
        """End what is open; an ongoing transaction is aborted under a higher epoch, which locks its producer out."""
        if transaction.state is TransactionState.ONGOING:
            transaction.producer = Producer(transaction.producer.id, transaction.producer.epoch + 1)
            self._end(transaction, commit=False)
        elif transaction.state in PREPARED:
            self._finish(transaction)

    def _check(
        self, transactional_id: str, producer: Producer, fenced: ErrorCode
    ) -> tuple[Transaction | None, ErrorCode]:
        transaction = self._transactions.get(transactional_id)
        if transaction is None or transaction.producer.id != producer.id:
            return None, ErrorCode.invalid_producer_id_mapping
        if transaction.producer.epoch != producer.epoch:
            return None, fenced
        if transaction.state in PREPARED:
            return None, ErrorCode.concurrent_transactions
        return transaction, ErrorCode.none

    # ---- what belongs to a transaction

    def add_partitions(
        self, transactional_id: str, producer: Producer, partitions: Iterable[TopicPartition], *, fenced: ErrorCode
    ) -> ErrorCode:
        """These partitions will be written to. They exist."""
        transaction, error = self._check(transactional_id, producer, fenced)
        if transaction is None:
            return error
        wanted = set(partitions)
        if transaction.state is not TransactionState.ONGOING or not wanted <= transaction.partitions:
            transaction.begin(_now_ms())
            transaction.partitions |= wanted
            self._save(transaction)
        return ErrorCode.none

    def add_group(self, transactional_id: str, producer: Producer, group: str, *, fenced: ErrorCode) -> ErrorCode:
        """This group's offsets will be committed with the transaction."""
        transaction, error = self._check(transactional_id, producer, fenced)
        if transaction is None:
            return error
        if transaction.state is not TransactionState.ONGOING or group not in transaction.groups:
            transaction.begin(_now_ms())
            transaction.groups.add(group)
            self._save(transaction)
        return ErrorCode.none

    def commit_offsets(self, transactional_id: str, producer: Producer, group: str, commits: Commits) -> ErrorCode:
        """Positions that count when the transaction commits."""
        transaction, error = self._check(transactional_id, producer, ErrorCode.invalid_producer_epoch)
        if transaction is None:
            return error
        if transaction.state is not TransactionState.ONGOING or group not in transaction.groups:
            return ErrorCode.invalid_txn_state
        transaction.offsets.setdefault(group, {}).update(commits)
        self._save(transaction)
        self._offsets.hold(producer.id, group, commits)
        return ErrorCode.none

    def check_produce(
        self, transactional_id: str | None, producer: tuple[int, int], partition: TopicPartition
    ) -> ErrorCode:
        """Whether a transactional batch may be written: by the current instance, to a partition of its transaction."""
        transaction = None if transactional_id is None else self._transactions.get(transactional_id)
        if transaction is None or transaction.producer.id != producer[0]:
            return ErrorCode.invalid_producer_id_mapping
        if transaction.producer.epoch != producer[1]:
            return ErrorCode.invalid_producer_epoch
        known = transaction.state is TransactionState.ONGOING and partition in transaction.partitions
        return ErrorCode.none if known else ErrorCode.invalid_txn_state

    # ---- how it ends

    def end(self, transactional_id: str, producer: Producer, *, commit: bool, fenced: ErrorCode) -> ErrorCode:
        """Commit or abort; asked again after it was done, the answer is the same."""
        transaction = self._transactions.get(transactional_id)
        if transaction is not None and transaction.state in PREPARED and transaction.producer == producer:
            self._finish(transaction)
        transaction, error = self._check(transactional_id, producer, fenced)
        if transaction is None:
            return error
        if transaction.state is TransactionState.ONGOING:
            self._end(transaction, commit=commit)
            return ErrorCode.none
        return ErrorCode.none if transaction.state is _COMPLETE[commit] else ErrorCode.invalid_txn_state

    def abort_overdue(self) -> list[str]:
        """Abort every transaction past its timeout, fencing its producer; called now and then. Returns their ids."""
        now_ms = _now_ms()
        overdue = [
            transaction
            for transaction in self._transactions.values()
            if transaction.state is TransactionState.ONGOING
            and now_ms > transaction.started_ms + transaction.timeout_ms
        ]
        for transaction in overdue:
            self._fence(transaction)
        return [transaction.transactional_id for transaction in overdue]

    def all(self) -> Mapping[str, Transaction]:
        """Every transactional id, for listing."""
        return self._transactions

    def _end(self, transaction: Transaction, *, commit: bool) -> None:
        transaction.state = _PREPARE[commit]
        self._save(transaction)
        self._finish(transaction)

    def _finish(self, transaction: Transaction) -> None:
        commit = transaction.state is TransactionState.PREPARE_COMMIT
        for partition in sorted(transaction.partitions):
            self._mark(transaction.producer, partition, commit=commit)
        self._offsets.release(transaction.producer.id, commit=commit)
        transaction.clear(_COMPLETE[commit])
        self._save(transaction)

    def _mark(self, producer: Producer, partition: TopicPartition, *, commit: bool) -> None:
        log = self._topics.log(*partition)
        if log is None:
            return
        try:
            log.marker(producer.id, producer.epoch, commit, _now_ms())
        except UnknownTopicError:
            return
        self._signals.grown(partition)

    def _save(self, transaction: Transaction) -> None:
        self._state.put(KIND, transaction.transactional_id, transaction.as_value())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
