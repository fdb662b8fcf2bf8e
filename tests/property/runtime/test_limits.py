"""Batch limits and the dead-letter limit hold for whatever is polled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roggia_runtime.consumer.batches import Polled, over_all, per_partition, size
from roggia_runtime.consumer.dead_letters import DlqLimiter
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.errors import DlqLimitError
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import BatchLimits, DlqLimits

SIZES = st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=30), min_size=1, max_size=4)
LIMITS = st.builds(BatchLimits, max_records=st.integers(1, 12), max_bytes=st.integers(1, 150))


def _polled(sizes: list[list[int]]) -> dict[Partition, Polled]:
    made: dict[Partition, Polled] = {}
    for number, part in enumerate(sizes):
        records = [Record("t", number, 3 * i, 0, None, b"v" * n) for i, n in enumerate(part)]
        made[Partition("t", number)] = Polled(records, records[-1].offset + 2, sum(part))
    return made


@given(SIZES, LIMITS, st.booleans())
def test_batches_keep_limits_order_and_positions(sizes: list[list[int]], limits: BatchLimits, mixed: bool) -> None:
    """Every record is in one batch, in order; limits hold but for a single large record; commits never run ahead.

    The last commit of a partition is the polled position, every other one lies behind the last record it covers.
    """
    polled = _polled(sizes)
    batches = list((over_all if mixed else per_partition)(polled, limits))
    assert [r for b in batches for r in b.records] == [r for part in polled.values() for r in part.records]
    final: dict[Partition, int] = {}
    for batch in batches:
        assert len(batch.records) <= limits.max_records
        assert sum(map(size, batch.records)) <= limits.max_bytes or len(batch.records) == 1
        assert mixed or len(batch.positions) == 1
        final |= batch.positions
        for record in batch.records:
            assert final[Partition("t", record.partition)] > record.offset
        left = [r for b in batches[batches.index(batch) + 1 :] for r in b.records]
        assert all(final.get(Partition("t", r.partition), 0) <= r.offset for r in left)
    assert final == {partition: part.position for partition, part in polled.items()}


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50), st.floats(0, 30)), min_size=1, max_size=40),
    st.integers(0, 60),
    st.floats(0.05, 1),
)
def test_limiter_never_admits_too_many(batches: list[tuple[int, int, float]], most: int, share: float) -> None:
    """Within any window, admitted dead letters stay within number and share; it refuses only when they would not."""
    now = [0.0]
    limits = DlqLimits(max_records=most, max_share=share, min_records=20, window_s=60)
    limiter = DlqLimiter(limits, lambda: now[0])
    admitted: list[tuple[float, int, int]] = []
    for records, wanted, step in batches:
        now[0] += step
        dead = min(wanted, records)
        window = [(r, d) for at, r, d in admitted if at >= now[0] - 60] + [(records, dead)]
        all_records, all_dead = sum(r for r, _ in window), sum(d for _, d in window)
        allowed = all_dead <= most and not (all_records >= 20 and all_dead > share * all_records)
        if allowed or not dead:
            limiter.admit(records, dead)
            admitted.append((now[0], records, dead))
        else:
            with pytest.raises(DlqLimitError):
                limiter.admit(records, dead)
            return


@given(st.floats(0.001, 5), st.floats(5, 60), st.integers(1, 30))
def test_backoff_stays_within_bounds(first: float, most: float, tries: int) -> None:
    """Waits grow from half of the first to at most the longest."""
    backoff = Backoff(first, most)
    waits = [backoff.wait_s() for _ in range(tries)]
    assert first / 2 <= waits[0] <= first
    assert all(first / 2 <= wait <= most for wait in waits)
    assert backoff.tries == tries
