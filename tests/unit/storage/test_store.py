"""The data directory: topics, the lock, the format, and the small state."""

from __future__ import annotations

from pathlib import Path

import pytest
from roggia_devstack.storage import Store, errors
from roggia_devstack.storage import files as pool_module
from roggia_devstack.storage.files import FilePool

from tests.support.batches import batch, consume


def test_topics_survive(tmp_path: Path) -> None:
    """Name, id, partitions and settings are there after a restart; the id is never given again."""
    store = Store.open(tmp_path)
    made = store.create_topic("a.b_c-D", 3, {"retention.ms": "5"})
    store.add_partitions("a.b_c-D", 4)
    store.close()
    store = Store.open(tmp_path)
    meta = store.topics()["a.b_c-D"]
    assert (meta.topic_id, meta.partitions, dict(meta.config)) == (made.topic_id, 4, {"retention.ms": "5"})
    store.delete_topic("a.b_c-D")
    assert store.create_topic("a.b_c-D", 1, {}).topic_id != made.topic_id
    store.close()


def test_second_opening_is_refused(tmp_path: Path) -> None:
    """Two stores never share a directory; the error names the holder and what to do; closing lets it go."""
    store = Store.open(tmp_path)
    with pytest.raises(errors.DataInUseError, match=r"in use by process .* another data directory"):
        Store.open(tmp_path)
    store.close()
    Store.open(tmp_path).close()


def test_foreign_directories_are_refused(tmp_path: Path) -> None:
    """A directory with other files, or of another version, is left alone."""
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(errors.FormatError, match="empty directory"):
        Store.open(tmp_path)
    (tmp_path / "letter.txt").unlink()
    Store.open(tmp_path).close()
    (tmp_path / "format").write_text("roggia-devstack 99\n")
    with pytest.raises(errors.FormatError, match="another version"):
        Store.open(tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "ä", "x" * 250, "a\n"])
def test_bad_topic_names(tmp_path: Path, name: str) -> None:
    """Only Kafka's topic names are taken."""
    store = Store.open(tmp_path)
    with pytest.raises(errors.InvalidTopicError):
        store.create_topic(name, 1, {})
    store.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("retention.ms", "soon"),
        ("retention.ms", "-2"),
        ("segment.bytes", "1"),
        ("cleanup.policy", "shred"),
        ("min.cleanable.dirty.ratio", "1.5"),
        ("message.timestamp.type", "Never"),
        ("compression.type", "rar"),
        ("max.message.bytes", str(2**63)),
    ],
)
def test_bad_settings(tmp_path: Path, setting: str, value: str) -> None:
    """A setting out of range is refused with its name and value, and the topic is not made."""
    store = Store.open(tmp_path)
    with pytest.raises(errors.InvalidConfigError, match=f"{setting}: '{value}'"):
        store.create_topic("t", 1, {setting: value})
    assert store.topics() == {}
    store.close()


def test_deleted_topics_are_gone(tmp_path: Path) -> None:
    """Files go with the topic, a log that was held refuses, and what a crash left behind is removed at start."""
    store = Store.open(tmp_path)
    meta = store.create_topic("t", 2, {})
    log = store.log("t", 1)
    log.append(batch([(b"k", b"v")]), 5)
    store.delete_topic("t")
    for call in (lambda: log.read(0, 1, committed=False), lambda: log.append(batch([(b"k", b"v")]), 5)):
        with pytest.raises(errors.UnknownTopicError):
            call()
    assert not log.folder.exists()
    left = tmp_path / "topics" / meta.topic_id.hex / "0"
    left.mkdir(parents=True)
    store.close()
    Store.open(tmp_path).close()
    assert not left.exists()


def test_unknown_topics_and_partitions(tmp_path: Path) -> None:
    """Asking for what is not there is an error of its own."""
    store = Store.open(tmp_path)
    store.create_topic("t", 1, {})
    for topic, partition in [("u", 0), ("t", 1), ("t", -1)]:
        with pytest.raises(errors.UnknownTopicError):
            store.log(topic, partition)
    store.close()


def test_state_changes_together(tmp_path: Path) -> None:
    """Values with bytes come back; several changes are one; the journal does not grow without end."""
    store = Store.open(tmp_path)
    store.state.apply([("offset", "g", {"at": 1}), ("member", "m", {"meta": b"\0\xff"}), ("offset", "h", None)])
    for n in range(1000):
        store.state.put("offset", "g", {"at": n})
    store.state.delete("member", "nobody")
    size = (tmp_path / "state.journal").stat().st_size
    store.close()
    store = Store.open(tmp_path)
    assert store.state.get("offset", "g") == {"at": 999}
    assert store.state.items("member") == {"m": {"meta": b"\0\xff"}}
    assert (tmp_path / "state.journal").stat().st_size < size / 100
    store.close()


def test_state_journal_is_rewritten_while_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long-running broker's journal is rewritten when most of it is stale, and stays sound."""
    from roggia_devstack.storage import journal

    monkeypatch.setattr(journal, "_REWRITE_FROM_BYTES", 1000)
    store = Store.open(tmp_path)
    for n in range(200):
        store.state.put("offset", "g", {"at": n})
    store.maintain(1)
    assert (tmp_path / "state.journal").stat().st_size < 200
    store.state.put("offset", "g", {"at": 200})
    store.close()
    store = Store.open(tmp_path)
    assert store.state.get("offset", "g") == {"at": 200}
    store.close()


def test_few_files_are_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of partitions need no more descriptors than the pool's limit."""
    monkeypatch.setattr(pool_module, "MAX_OPEN", 8)
    store = Store.open(tmp_path)
    store._pool = FilePool(8)
    store.create_topic("t", 50, {})
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    for _ in range(2):
        for partition in range(50):
            store.log("t", partition).append(batch([(b"k", b"v")]), 5)
    if before:
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 8
    assert all(len(consume(store.log("t", partition), committed=False)) == 2 for partition in range(50))
    store.close()
