"""The partition log: what it stores, what it refuses, and what it says about time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from roggia_devstack.storage import PartitionLog, Store, errors

from tests.support.batches import CODECS, Row, batch, consume, split


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    opened = Store.open(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def log(store: Store) -> PartitionLog:
    """An empty partition with Kafka's defaults."""
    store.create_topic("t", 1, {})
    return store.log("t", 0)


def compacted(store: Store) -> PartitionLog:
    """An empty partition of a compacted topic."""
    store.create_topic("c", 1, {"cleanup.policy": "compact"})
    return store.log("c", 0)


def test_append_and_read(log: PartitionLog) -> None:
    """Offsets run on, records come back byte for byte, a read starts at the batch that holds the offset."""
    for start in range(0, 90, 3):
        result = log.append(batch([(b"k%d" % n, b"v%d" % n) for n in range(start, start + 3)]), 5)
        assert (result.base_offset, result.last_offset, result.duplicate) == (start, start + 2, False)
    assert [row.value for row in consume(log, committed=True)] == [b"v%d" % n for n in range(90)]
    assert next(split(log.read(31, 1, committed=False).data)).base_offset == 30


@pytest.mark.parametrize("codec", CODECS)
def test_batches_are_kept_as_sent(log: PartitionLog, codec: str) -> None:
    """Compressed or not, all bytes but the base offset and leader epoch are those that the producer sent."""
    sent = batch([(b"k", b"v" * 500)] * 3, codec=codec)
    log.append(sent, 5)
    log.append(sent, 5)
    assert log.read(3, 10**6, committed=False).data[16:] == sent[16:]


def test_read_obeys_max_bytes_with_whole_batches(log: PartitionLog) -> None:
    """A read returns whole batches up to the limit, and one batch even when it is larger."""
    size = len(batch([(b"k", b"v" * 100)]))
    for _ in range(100):
        log.append(batch([(b"k", b"v" * 100)]), 5)
    assert len(log.read(0, 10 * size + 50, committed=False).data) == 10 * size
    assert len(log.read(50, 1, committed=False).data) == size
    assert log.read(100, 1, committed=False).data == b""
    for outside in (-1, 101):
        with pytest.raises(errors.OffsetOutOfRangeError, match=r"\[0, 100\]"):
            log.read(outside, 1, committed=False)


@pytest.mark.parametrize("change", ["flip", "cut", "longer", "two", "magic", "empty", "length"])
def test_damaged_batches_are_refused(log: PartitionLog, change: str) -> None:
    """A batch with a wrong checksum, length, version or number of batches is refused and nothing is stored."""
    good = batch([(b"k", b"v" * 50)])
    bad = {
        "flip": good[:70] + bytes([good[70] ^ 1]) + good[71:],
        "cut": good[:-1],
        "longer": good + b"x",
        "two": good * 2,
        "magic": good[:16] + b"\x01" + good[17:],
        "empty": b"",
        "length": good[:8] + b"\xff\xff\xff\xff" + good[12:],
    }[change]
    with pytest.raises(errors.InvalidBatchError):
        log.append(bad, 5)
    assert log.end_offset == 0


def test_compacted_topics_need_keys(store: Store) -> None:
    """A record without a key never enters a compacted topic, compressed or not."""
    log = compacted(store)
    for codec in CODECS:
        with pytest.raises(errors.InvalidRecordError, match="key"):
            log.append(batch([(b"k", b"v"), (None, b"v")], codec=codec), 5)
        log.append(batch([(b"k", b"v"), (b"", b"v")], codec=codec), 5)
    assert log.end_offset == 2 * len(CODECS)


def test_size_limit(store: Store) -> None:
    """A batch above max.message.bytes is refused, also after the setting changed."""
    store.create_topic("small", 1, {"max.message.bytes": "200"})
    log = store.log("small", 0)
    with pytest.raises(errors.BatchTooLargeError, match=r"max\.message\.bytes is 200"):
        log.append(batch([(b"k", b"v" * 200)]), 5)
    store.alter_config("small", {"max.message.bytes": "2000"})
    assert log.append(batch([(b"k", b"v" * 200)]), 5).base_offset == 0


def test_duplicates_and_gaps_of_idempotent_producers(log: PartitionLog) -> None:
    """Any of the last five batches of a producer is recognised; a gap, an old epoch, a jump of epoch are refused."""
    sent = [batch([(b"k", b"v")] * 2, producer=(7, 0, 2 * n)) for n in range(7)]
    for one in sent:
        log.append(one, 5)
    for n in range(2, 7):
        assert log.append(sent[n], 5) == (2 * n, 2 * n + 1, True, -1)
    with pytest.raises(errors.OutOfOrderSequenceError):
        log.append(sent[1], 5)
    with pytest.raises(errors.OutOfOrderSequenceError, match="sequence 16, expected 14"):
        log.append(batch([(b"k", b"v")], producer=(7, 0, 16)), 5)
    with pytest.raises(errors.OutOfOrderSequenceError, match="expected 0"):
        log.append(batch([(b"k", b"v")], producer=(7, 1, 14)), 5)
    log.append(batch([(b"k", b"v")], producer=(7, 1, 0)), 5)
    with pytest.raises(errors.StaleProducerEpochError):
        log.append(sent[6], 5)
    assert log.end_offset == 15


def test_sequences_wrap(log: PartitionLog) -> None:
    """After sequence 2^31 - 1 comes 0, also inside a batch."""
    log.append(batch([(b"k", b"v")], producer=(7, 0, 2**31 - 2)), 5)
    log.append(batch([(b"k", b"v")] * 3, producer=(7, 0, 2**31 - 1)), 5)
    assert log.append(batch([(b"k", b"v")], producer=(7, 0, 2)), 5).base_offset == 4


def test_transactions(log: PartitionLog) -> None:
    """read_committed ends before the oldest open transaction and leaves aborted records out, markers count offsets."""
    log.append(batch([(b"a", b"open")], producer=(1, 0, 0), transactional=True), 5)
    log.append(batch([(b"b", b"aborted")], producer=(2, 0, 0), transactional=True), 5)
    log.append(batch([(b"c", b"plain")]), 5)
    assert (log.last_stable_offset, log.end_offset) == (0, 3)
    assert consume(log, committed=True) == []
    assert log.marker(2, 0, commit=False, now_ms=6) == 3
    assert log.last_stable_offset == 0
    assert log.marker(1, 0, commit=True, now_ms=6) == 4
    assert log.last_stable_offset == 5
    assert [row.value for row in consume(log, committed=True)] == [b"open", b"plain"]
    assert [row.value for row in consume(log, committed=False)] == [b"open", b"aborted", b"plain"]
    assert log.read(0, 10**6, committed=True).aborted == [(2, 1)]
    assert log.read(4, 10**6, committed=True).aborted == []


def test_markers_fence(log: PartitionLog) -> None:
    """A marker with a raised epoch shuts out the producer that had the old one; an older marker is refused."""
    log.append(batch([(b"a", b"x")], producer=(1, 0, 0), transactional=True), 5)
    log.marker(1, 1, commit=False, now_ms=6)
    with pytest.raises(errors.StaleProducerEpochError):
        log.append(batch([(b"a", b"x")], producer=(1, 0, 1), transactional=True), 5)
    with pytest.raises(errors.StaleProducerEpochError):
        log.marker(1, 0, commit=True, now_ms=6)
    assert log.append(batch([(b"a", b"x")], producer=(1, 1, 0), transactional=True), 5).base_offset == 2


def test_plain_batch_inside_a_transaction(log: PartitionLog) -> None:
    """A producer whose transaction is open cannot write outside it."""
    log.append(batch([(b"a", b"x")], producer=(1, 0, 0), transactional=True), 5)
    with pytest.raises(errors.TransactionStateError):
        log.append(batch([(b"a", b"x")], producer=(1, 0, 1)), 5)


@pytest.mark.parametrize("codec", CODECS)
def test_look_up_by_time(log: PartitionLog, codec: str) -> None:
    """The first record at or after a time is found inside its batch, also when timestamps do not ascend."""
    for start in (100, 300, 200, 400):
        log.append(batch([(b"k", b"v")] * 10, codec=codec, timestamp_ms=start), 5)
    assert log.offset_for_time(0) == (0, 100)
    assert log.offset_for_time(105) == (5, 105)
    assert log.offset_for_time(110) == (10, 300)
    assert log.offset_for_time(205) == (10, 300)
    assert log.offset_for_time(310) == (30, 400)
    assert log.offset_for_time(409) == (39, 409)
    assert log.offset_for_time(410) is None
    assert log.max_timestamp() == (39, 409)


def test_append_time(store: Store) -> None:
    """With LogAppendTime the broker's clock is what consumers see, and the checksum is right."""
    store.create_topic("at", 1, {"message.timestamp.type": "LogAppendTime"})
    log = store.log("at", 0)
    assert log.append(batch([(b"k", b"v")] * 2), 777).append_time_ms == 777
    assert [row.timestamp_ms for row in consume(log, committed=False)] == [777, 777]
    assert log.offset_for_time(700) == (0, 777)


def test_delete_records_lasts(tmp_path: Path) -> None:
    """Deleted records stay deleted after a crash; a bound beyond the end is refused; -1 deletes all."""
    store = Store.open(tmp_path / "d")
    store.create_topic("t", 1, {})
    log = store.log("t", 0)
    for _ in range(5):
        log.append(batch([(b"k", b"v")]), 5)
    assert log.delete_records(3) == 3
    with pytest.raises(errors.OffsetOutOfRangeError):
        log.delete_records(6)
    assert log.delete_records(1) == 3
    store._lock.release()
    again = Store.open(tmp_path / "d")
    assert [row.offset for row in consume(again.log("t", 0), committed=False)] == [3, 4]
    assert again.log("t", 0).delete_records(-1) == 5
    again.maintain(10)
    assert again.log("t", 0).append(batch([(b"k", b"v")]), 5).base_offset == 5
    again.close()


def test_rows_know_their_time(log: PartitionLog) -> None:
    """Timestamps of records survive."""
    log.append(batch([(b"k", None)], timestamp_ms=1234), 5)
    assert consume(log, committed=False) == [Row(0, 1234, b"k", None)]


def test_failed_write_leaves_the_log_usable(log: PartitionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk refuses a write half-way, the batch is not stored and the next one takes its offset."""
    import os

    from roggia_devstack.storage import segment

    log.append(batch([(b"k", b"first")]), 5)
    whole = os.pwritev
    with monkeypatch.context() as patch:
        patch.setattr(segment.os, "pwritev", lambda fd, parts, at: whole(fd, [b"".join(parts)[:30]], at))
        patch.setattr(segment.os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            log.append(batch([(b"k", b"lost")]), 5)
    assert log.append(batch([(b"k", b"second")]), 5).base_offset == 1
    assert [row.value for row in consume(log, committed=False)] == [b"first", b"second"]
