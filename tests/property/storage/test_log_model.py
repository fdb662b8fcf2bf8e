"""A partition log against a list: any order of appends, transactions, crashes, compaction and deletion."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from roggia_devstack.storage import Store

from tests.support.batches import CODECS, Row, batch, consume

RETENTION_MS = 1_000
KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"a longer key"])
VALUES = st.one_of(st.none(), st.binary(max_size=40))
RECORDS = st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=6)


class LogMachine(RuleBasedStateMachine):
    """The model holds every record that was acknowledged and how its transaction ended."""

    config: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store.open(self.folder / "data")
        self.store.create_topic("t", 1, {"segment.bytes": "1024", **self.config})
        self.log = self.store.log("t", 0)
        self.now = 1_000_000
        self.rows: dict[int, Row] = {}
        self.of_transaction: dict[int, tuple[int, int]] = {}
        self.open: dict[int, int] = {}
        self.outcome: dict[tuple[int, int], bool] = {}
        self.sequence: dict[int, int] = {}
        self.end = self.start = 0

    @rule(records=RECORDS, codec=st.sampled_from(list(CODECS)))
    def append(self, records: list[tuple[bytes, bytes | None]], codec: str) -> None:
        """Plain records."""
        self._append(records, codec, None)

    @rule(records=RECORDS, codec=st.sampled_from(list(CODECS)), producer=st.integers(1, 3))
    def append_in_transaction(self, records: list[tuple[bytes, bytes | None]], codec: str, producer: int) -> None:
        """Records of a transaction, opened when it is not open."""
        self.open.setdefault(producer, self.end)
        self._append(records, codec, producer)

    @rule(producer=st.integers(1, 3), commit=st.booleans())
    def end_transaction(self, producer: int, commit: bool) -> None:
        """Commit or abort."""
        if producer in self.open:
            assert self.log.marker(producer, 0, commit, self.now) == self.end
            self.outcome[producer, self.open.pop(producer)] = commit
            self.end += 1

    @rule(graceful=st.booleans())
    def reopen(self, graceful: bool) -> None:
        """Close, or die without a word, and open again."""
        if graceful:
            self.store.close()
        else:
            self.store._pool.close()
            self.store.state.close()
            self.store._lock.release()
        self.store = Store.open(self.folder / "data")
        self.log = self.store.log("t", 0)

    @rule(later_ms=st.sampled_from([0, 1, 500, 5_000]))
    def maintain(self, later_ms: int) -> None:
        """Let time pass and do the housekeeping."""
        self.now += later_ms
        self.store.maintain(self.now)

    @rule(share=st.floats(0, 1))
    def delete_records(self, share: float) -> None:
        """Delete from the front, not into an open transaction."""
        before = min([self.start + int((self.end - self.start) * share / 4), *self.open.values()])
        self.start = max(self.start, before)
        # The start may be later: a segment goes when only offsets that compaction emptied are left of it.
        assert self.log.delete_records(before) >= self.start

    @invariant()
    def offsets(self) -> None:
        """End and last stable offset are exact at all times; the start never goes back."""
        assert self.log.end_offset == self.end
        assert self.log.last_stable_offset == min(self.open.values(), default=self.end)
        assert self.log.start_offset >= self.start

    @invariant()
    def contents(self) -> None:
        """What a reader of either kind sees."""
        for committed in (True, False):
            seen = [row for row in consume(self.log, committed=committed) if row.offset >= self.log.start_offset]
            assert [row.offset for row in seen] == sorted({row.offset for row in seen})
            assert all(self.rows[row.offset] == row for row in seen)
            self.check_seen(seen, self._expected(committed=committed), committed=committed)

    def check_seen(self, seen: list[Row], expected: list[Row], *, committed: bool) -> None:
        """Without compaction a reader sees exactly what was written."""
        assert seen == expected

    def teardown(self) -> None:
        """Remove the files."""
        self.store.close()
        shutil.rmtree(self.folder)

    def _append(self, records: list[tuple[bytes, bytes | None]], codec: str, producer: int | None) -> None:
        identity = (-1, -1, -1)
        if producer is not None:
            identity = (producer, 0, self.sequence.get(producer, 0))
            self.sequence[producer] = identity[2] + len(records)
        sent = batch(records, codec=codec, timestamp_ms=self.now, producer=identity, transactional=producer is not None)
        assert self.log.append(sent, self.now) == (self.end, self.end + len(records) - 1, False, -1)
        if producer is not None:
            assert self.log.append(sent, self.now) == (self.end, self.end + len(records) - 1, True, -1)
        for number, (key, value) in enumerate(records):
            self.rows[self.end + number] = Row(self.end + number, self.now + number, key, value)
            if producer is not None:
                self.of_transaction[self.end + number] = (producer, self.open[producer])
        self.end += len(records)

    def _expected(self, *, committed: bool) -> list[Row]:
        limit = self.log.last_stable_offset if committed else self.end
        return [
            row
            for offset, row in sorted(self.rows.items())
            if self.log.start_offset <= offset < limit and (not committed or self._is_committed(offset))
        ]

    def _is_committed(self, offset: int) -> bool:
        transaction = self.of_transaction.get(offset)
        return transaction is None or self.outcome.get(transaction, False)


class CompactedLogMachine(LogMachine):
    """The same with compaction at every housekeeping: the last committed record of a key is always there."""

    config: ClassVar[dict[str, str]] = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0",
        "delete.retention.ms": str(RETENTION_MS),
    }

    def check_seen(self, seen: list[Row], expected: list[Row], *, committed: bool) -> None:
        """Nothing is invented; the last record of every key is there, unless it is a tombstone that had its time."""
        there = {row.offset for row in seen}
        if committed:
            assert there <= {row.offset for row in expected}
        last = {row.key: row for row in self._expected(committed=True)}
        for row in last.values():
            expired = row.value is None and row.timestamp_ms + RETENTION_MS <= self.now + 10
            assert row.offset in there or expired, row

    @precondition(lambda self: not self.open)
    @rule()
    def compact_fully(self) -> None:
        """With no transaction open, compaction leaves one record per key, and no aborted one."""
        self.log.roll(self.now)
        self.store.maintain(self.now)
        seen = [row for row in consume(self.log, committed=False) if row.offset >= self.log.start_offset]
        assert all(self._is_committed(row.offset) for row in seen)
        keys = [row.key for row in seen]
        first_segments = self.log.segments[:-1]
        if first_segments and self.start == 0:
            assert len(keys) == len(set(keys)), keys


TestLog = LogMachine.TestCase
TestCompactedLog = CompactedLogMachine.TestCase
_SETTINGS = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestLog.settings = TestCompactedLog.settings = _SETTINGS
