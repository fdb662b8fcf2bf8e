"""What a log says after its files were cut, damaged or left in the middle of a compaction."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from roggia_devstack.storage import Store

from tests.support.batches import CODECS, batch, consume

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = st.lists(st.integers(1, 8), min_size=1, max_size=25)


def die(store: Store) -> None:
    """End a store as kill -9 does: nothing more is written."""
    store._pool.close()
    store.state.close()
    store._lock.release()


def fill(folder: Path, sizes: list[int], checkpoint_after: int) -> tuple[Path, list[tuple[int, int]]]:
    """Write one batch per size and die; return the segment's path and (last offset, end position) of every batch."""
    shutil.rmtree(folder, ignore_errors=True)
    store = Store.open(folder)
    store.create_topic("t", 1, {})
    log, ends = store.log("t", 0), []
    for number, size in enumerate(sizes):
        log.append(batch([(b"k", b"v" * 37)] * size, producer=(5, 0, sum(sizes[:number]))), 5)
        ends.append((log.end_offset - 1, log.size))
        if number == checkpoint_after:
            log.checkpoint()
    die(store)
    return log.segments[0].path, ends


@quick
@given(sizes=SIZES, checkpoint_after=st.integers(0, 30), share=st.floats(0, 1))
def test_torn_tail(tmp_path: Path, sizes: list[int], checkpoint_after: int, share: float) -> None:
    """Cut at any byte: every batch that is whole is there, nothing else, and the log goes on from there."""
    path, ends = fill(tmp_path / "d", sizes, checkpoint_after)
    cut = int(path.stat().st_size * share)
    with path.open("r+b") as file:
        file.truncate(cut)
    store = Store.open(tmp_path / "d")
    log = store.log("t", 0)
    left = max([last + 1 for last, position in ends if position <= cut], default=0)
    assert [row.offset for row in consume(log, committed=True)] == list(range(left))
    assert log.append(batch([(b"k", b"v")], producer=(5, 0, left)), 5).base_offset == left
    store.close()


@quick
@given(sizes=SIZES, checkpoint_after=st.integers(0, 30), share=st.floats(0, 0.999), tail=st.binary(max_size=200))
def test_damage_after_the_checkpoint(
    tmp_path: Path, sizes: list[int], checkpoint_after: int, share: float, tail: bytes
) -> None:
    """A flipped bit or garbage after the checkpoint ends the log before that batch; what was before is untouched."""
    path, ends = fill(tmp_path / "d", sizes, checkpoint_after)
    content = bytearray(path.read_bytes())
    safe = ends[checkpoint_after][1] if checkpoint_after < len(ends) else 0
    at = safe + int((len(content) - safe) * share)
    if at < len(content):
        content[at] ^= 0x10
    path.write_bytes(content + tail)
    store = Store.open(tmp_path / "d")
    rows = [row.offset for row in consume(store.log("t", 0), committed=True)]
    # Base offset and leader epoch lie outside the checksum: such damage may pass, but never invents or loses order.
    intact = max([last + 1 for last, position in ends if position <= at], default=0)
    assert rows[:intact] == list(range(intact))
    assert rows == sorted(set(rows))
    store.close()


@pytest.mark.parametrize(("kept_batches", "start"), [(10, 3), (5, 3), (3, 3), (1, 1), (0, 0)])
def test_start_offset_outlives_a_lost_tail(tmp_path: Path, kept_batches: int, start: int) -> None:
    """A tail lost from before the checkpoint brings no deleted record back, and never puts the start after the end."""
    store = Store.open(tmp_path / "d")
    store.create_topic("t", 1, {})
    log, ends = store.log("t", 0), [0]
    for _ in range(10):
        log.append(batch([(b"k", b"v")]), 5)
        ends.append(log.size)
    log.delete_records(3)
    die(store)
    with log.segments[0].path.open("r+b") as file:
        file.truncate(ends[kept_batches])
    again = Store.open(tmp_path / "d")
    assert (again.log("t", 0).start_offset, again.log("t", 0).end_offset) == (start, kept_batches)
    again.close()


def test_journal_with_a_damaged_entry(tmp_path: Path) -> None:
    """A journal ends before an entry whose checksum is wrong."""
    store = Store.open(tmp_path / "d")
    for number in range(3):
        store.state.put("a", "k", {"n": number, "text": "x" * 50})
    die(store)
    journal = tmp_path / "d" / "state.journal"
    content = bytearray(journal.read_bytes())
    content[-10] ^= 1
    journal.write_bytes(content)
    again = Store.open(tmp_path / "d")
    assert again.state.get("a", "k") == {"n": 1, "text": "x" * 50}
    again.close()


@quick
@given(changes=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.booleans())), share=st.floats(0, 1))
def test_journal(tmp_path: Path, changes: list[tuple[str, int, bool]], share: float) -> None:
    """The small state after a cut at any byte is the state after some prefix of its changes."""
    shutil.rmtree(tmp_path / "d", ignore_errors=True)
    store = Store.open(tmp_path / "d")
    states: list[dict[str, Any]] = [{}]
    for kind, key, present in changes:
        store.state.apply([(kind, str(key), {"n": len(states), "b": b"\0"} if present else None)])
        states.append({name: dict(store.state.items(name)) for name in "abc"})
    die(store)
    journal = tmp_path / "d" / "state.journal"
    with journal.open("r+b") as file:
        file.truncate(int(journal.stat().st_size * share))
    again = Store.open(tmp_path / "d")
    now = {name: dict(again.state.items(name)) for name in "abc"}
    assert now in [{name: state.get(name, {}) for name in "abc"} for state in states]
    if share == 1:
        assert now == {name: states[-1].get(name, {}) for name in "abc"}
    again.close()


def _dirty_store(folder: Path, codec: str) -> Store:
    store = Store.open(folder)
    config = {"cleanup.policy": "compact", "segment.bytes": "1024", "min.cleanable.dirty.ratio": "0"}
    store.create_topic("t", 1, config)
    log = store.log("t", 0)
    for number in range(60):
        log.append(batch([(b"k%d" % (number % 7), b"v%d" % number), (b"u%d" % number, b"w")], codec=codec), 5)
    log.delete_records(3)
    return store


@pytest.mark.parametrize("codec", CODECS)
def test_compaction_keeps_the_last_of_each_key(tmp_path: Path, codec: str) -> None:
    """Two records per batch, one superseded: what stays has its offset, timestamp and value, in every codec."""
    store = _dirty_store(tmp_path / "d", codec)
    log = store.log("t", 0)
    before = {row.offset: row for row in consume(log, committed=True)}
    log.roll(9)
    size = log.size
    store.maintain(10)
    rows = consume(log, committed=True)
    assert [row.value for row in rows if row.key and row.key.startswith(b"k")] == [b"v%d" % n for n in range(53, 60)]
    assert {row.key for row in rows if row.key and row.key.startswith(b"u")} == {b"u%d" % n for n in range(1, 60)}
    assert all(before[row.offset] == row for row in rows if row.offset in before)
    assert log.size < size
    store.close()


@pytest.mark.parametrize("dies_at", range(40))
def test_death_in_compaction(tmp_path: Path, dies_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at any file operation of a compaction, the log loses nothing and the next pass finishes the work."""
    store = _dirty_store(tmp_path / "d", "none")
    expected = {row.key: row for row in consume(store.log("t", 0), committed=True)}
    calls = 0

    def dying(original: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > dies_at:
                raise KeyboardInterrupt
            return original(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "unlink", "write_bytes"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        with contextlib.suppress(KeyboardInterrupt):
            store.maintain(10)
    die(store)
    again = Store.open(tmp_path / "d")
    log = again.log("t", 0)
    assert (log.start_offset, log.end_offset) == (3, 120)
    assert {row.key: row for row in consume(log, committed=True)} == expected
    again.maintain(11)
    assert {row.key: row for row in consume(log, committed=True)} == expected
    assert not [path for path in log.folder.iterdir() if path.suffix in (".swap", ".cleaned")]
    again.close()
