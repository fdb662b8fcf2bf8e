"""The transaction coordinator: fencing, ends, timeouts, and what a crash leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kio.schema.errors import ErrorCode
from roggia_devstack.broker.signals import Signals
from roggia_devstack.broker.topics import Topics
from roggia_devstack.groups.offsets import Committed, Offsets
from roggia_devstack.storage import PartitionLog, Store
from roggia_devstack.transactions.coordinator import TransactionCoordinator
from roggia_devstack.transactions.model import LAST_EPOCH, Producer, TransactionState

FENCED = ErrorCode.producer_fenced


class Setup:
    """One process's life over a data directory with the topic t of two partitions."""

    def __init__(self, store: Store) -> None:
        self.topics = Topics(store)
        if self.topics.get("t") is None:
            self.topics.create("t", 2, {})
        self.offsets = Offsets(store.state)
        self.transactions = TransactionCoordinator(
            store.state, self.topics, self.offsets, Signals(), max_timeout_ms=900_000
        )

    def init(self, timeout_ms: int = 60_000) -> Producer:
        """A producer with the transactional id x."""
        error, producer = self.transactions.init("x", timeout_ms, fenced=FENCED)
        assert error is ErrorCode.none
        return producer

    def add(self, producer: Producer, *partitions: int) -> ErrorCode:
        """Partitions of t join the producer's transaction."""
        return self.transactions.add_partitions("x", producer, [("t", index) for index in partitions], fenced=FENCED)

    def end(self, producer: Producer, *, commit: bool) -> ErrorCode:
        """The producer ends its transaction."""
        return self.transactions.end("x", producer, commit=commit, fenced=FENCED)

    def log(self, partition: int) -> PartitionLog:
        """A partition of t."""
        log = self.topics.log("t", partition)
        assert log is not None
        return log

    def state(self) -> TransactionState:
        """Where the transaction of x stands."""
        return self.transactions.all()["x"].state


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty data directory."""
    store = Store.open(tmp_path / "data")
    yield store
    store.close()


def test_ids_are_never_given_twice(store: Store) -> None:
    """Producer ids go on after a restart, also without a clean end."""
    given = [Setup(store).transactions.init(None, 0, fenced=FENCED)[1].id for _ in range(3)]
    assert len(set(given)) == 3


def test_a_second_instance_fences_the_first(store: Store) -> None:
    """The same transactional id again: same producer id, higher epoch; the first instance can do nothing more."""
    setup = Setup(store)
    first = setup.init()
    second = setup.init()
    assert (second.id, second.epoch > first.epoch) == (first.id, True)
    assert setup.add(first, 0) is FENCED
    assert setup.end(first, commit=True) is FENCED
    assert setup.add(second, 0) is ErrorCode.none
    assert setup.transactions.check_produce("x", (first.id, first.epoch), ("t", 0)) is ErrorCode.invalid_producer_epoch
    assert setup.transactions.check_produce("x", (second.id, second.epoch), ("t", 0)) is ErrorCode.none


def test_init_aborts_what_the_former_instance_left_open(store: Store) -> None:
    """An open transaction is ended by markers before the new instance gets its epoch."""
    setup = Setup(store)
    setup.add(setup.init(), 0, 1)
    setup.init()
    assert (setup.log(0).end_offset, setup.log(1).end_offset) == (1, 1)
    assert setup.state() is TransactionState.EMPTY


def test_only_partitions_of_the_open_transaction_take_batches(store: Store) -> None:
    """A transactional batch is refused before its partition was added and after the end."""
    setup = Setup(store)
    producer = setup.init()
    who = (producer.id, producer.epoch)
    assert setup.transactions.check_produce("x", who, ("t", 0)) is ErrorCode.invalid_txn_state
    setup.add(producer, 0)
    assert setup.transactions.check_produce("x", who, ("t", 0)) is ErrorCode.none
    assert setup.transactions.check_produce("x", who, ("t", 1)) is ErrorCode.invalid_txn_state
    setup.end(producer, commit=True)
    assert setup.transactions.check_produce("x", who, ("t", 0)) is ErrorCode.invalid_txn_state
    assert setup.transactions.check_produce(None, who, ("t", 0)) is ErrorCode.invalid_producer_id_mapping


def test_an_end_may_be_asked_for_again_but_not_the_other_way(store: Store) -> None:
    """A repeated EndTxn gets the same answer and writes nothing; the opposite is refused, as is an end of nothing."""
    setup = Setup(store)
    producer = setup.init()
    assert setup.end(producer, commit=True) is ErrorCode.invalid_txn_state
    setup.add(producer, 0)
    assert setup.end(producer, commit=True) is ErrorCode.none
    assert setup.end(producer, commit=True) is ErrorCode.none
    assert setup.end(producer, commit=False) is ErrorCode.invalid_txn_state
    assert setup.log(0).end_offset == 1


@pytest.mark.parametrize("commit", [True, False])
def test_offsets_follow_their_transaction(store: Store, commit: bool) -> None:
    """Positions in a transaction count if and only if it commits, also when the broker restarted in between."""
    setup = Setup(store)
    producer = setup.init()
    setup.transactions.add_group("x", producer, "g", fenced=FENCED)
    assert setup.transactions.commit_offsets("x", producer, "g", {("t", 0): Committed(9)}) is ErrorCode.none
    assert (
        setup.transactions.commit_offsets("x", producer, "h", {("t", 0): Committed(9)}) is ErrorCode.invalid_txn_state
    )
    restarted = Setup(store)
    assert restarted.offsets.unstable("g") == {("t", 0)}
    assert restarted.end(producer, commit=commit) is ErrorCode.none
    assert dict(restarted.offsets.of("g")) == ({("t", 0): Committed(9)} if commit else {})
    assert dict(Setup(store).offsets.of("g")) == ({("t", 0): Committed(9)} if commit else {})


def test_an_overdue_transaction_is_aborted_and_its_producer_fenced(store: Store) -> None:
    """Past its timeout a transaction ends by itself, and its producer, should it wake, is refused."""
    setup = Setup(store)
    producer = setup.init(timeout_ms=1)
    setup.add(producer, 0)
    setup.transactions.all()["x"].started_ms -= 10
    assert setup.transactions.abort_overdue() == ["x"]
    assert setup.state() is TransactionState.COMPLETE_ABORT
    assert setup.end(producer, commit=True) is FENCED
    assert setup.transactions.abort_overdue() == []


@pytest.mark.parametrize("commit", [True, False])
def test_an_end_that_a_crash_interrupted_is_finished_at_start(
    store: Store, commit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the intent is on disk the outcome is certain: the next start writes the markers and the offsets."""
    setup = Setup(store)
    producer = setup.init()
    setup.add(producer, 0, 1)
    setup.transactions.add_group("x", producer, "g", fenced=FENCED)
    setup.transactions.commit_offsets("x", producer, "g", {("t", 0): Committed(9)})

    class CrashError(Exception):
        pass

    def crash(*_: object) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(type(setup.log(1)), "marker", crash)
        with pytest.raises(CrashError):
            setup.end(producer, commit=commit)
    restarted = Setup(store)
    assert restarted.state() is (TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT)
    assert (restarted.log(0).end_offset, restarted.log(1).end_offset) == (1, 1)
    assert dict(restarted.offsets.of("g")) == ({("t", 0): Committed(9)} if commit else {})
    assert restarted.end(producer, commit=commit) is ErrorCode.none


def test_a_full_epoch_takes_a_new_producer_id(store: Store) -> None:
    """Epochs are 16 bits: the instance after the last one gets another producer id."""
    setup = Setup(store)
    first = setup.init()
    setup.transactions.all()["x"].producer = Producer(first.id, LAST_EPOCH)
    renewed = setup.init()
    assert (renewed.id != first.id, renewed.epoch) == (True, 0)


def test_a_producer_that_recovers_by_itself_must_be_the_current_one(store: Store) -> None:
    """InitProducerId with an id and epoch raises the epoch for the current instance and is refused to any other."""
    setup = Setup(store)
    first = setup.init()
    error, second = setup.transactions.init("x", 1000, first, fenced=FENCED)
    assert (error, second.id) == (ErrorCode.none, first.id)
    assert setup.transactions.init("x", 1000, Producer(first.id, 77), fenced=FENCED)[0] is FENCED


def test_a_producer_that_missed_its_new_epoch_may_ask_again(store: Store) -> None:
    """The same request again, also after a restart, gets the same answer; not once the new epoch was used."""
    first = Setup(store).init()
    renewed = Setup(store).transactions.init("x", 1000, first, fenced=FENCED)
    setup = Setup(store)
    assert setup.transactions.init("x", 1000, first, fenced=FENCED) == renewed
    setup.add(renewed[1], 0)
    assert setup.transactions.init("x", 1000, first, fenced=FENCED)[0] is FENCED


def test_what_is_refused_at_once(store: Store) -> None:
    """Empty ids, timeouts out of range, and ids that nobody initialised."""
    setup = Setup(store)
    assert setup.transactions.init("", 1000, fenced=FENCED)[0] is ErrorCode.invalid_request
    for timeout_ms in (0, -1, 900_001):
        assert setup.transactions.init("y", timeout_ms, fenced=FENCED)[0] is ErrorCode.invalid_transaction_timeout
    assert setup.add(Producer(4, 0), 0) is ErrorCode.invalid_producer_id_mapping


def test_a_deleted_topic_does_not_hold_up_the_end(store: Store) -> None:
    """Markers for partitions that are gone are left out; the transaction ends in the others."""
    setup = Setup(store)
    producer = setup.init()
    setup.add(producer, 0)
    setup.topics.delete("t")
    assert setup.end(producer, commit=True) is ErrorCode.none
