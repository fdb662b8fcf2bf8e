"""A data directory: topics, their partitions, and the broker's own small state. One process at a time."""

from __future__ import annotations

import re
import secrets
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from roggia_devstack.storage.config import LogConfig
from roggia_devstack.storage.errors import FormatError, InvalidTopicError, TopicExistsError, UnknownTopicError
from roggia_devstack.storage.files import FilePool
from roggia_devstack.storage.journal import StateStore, Value
from roggia_devstack.storage.lock import DirectoryLock
from roggia_devstack.storage.log import PartitionLog
from roggia_devstack.storage.maintenance import maintain_log
from roggia_devstack.storage.values import TopicMeta

FORMAT = "roggia-devstack 1\n"
MAX_PARTITIONS = 10_000
_TOPIC = "topic"
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}\Z")


class Store:
    """Everything that a broker keeps. Make one with `Store.open`; used from one thread.

    `state` is the broker's durable small state; the kind "topic" in it belongs to the store.
    """

    def __init__(self, folder: Path, lock: DirectoryLock) -> None:
        self._folder, self._lock = folder, lock
        self._pool = FilePool()
        self.state = StateStore(folder / "state.journal")
        self._topics = {name: _meta(name, value) for name, value in self.state.items(_TOPIC).items()}
        self._logs: dict[tuple[str, int], PartitionLog] = {}
        self._remove_orphans()

    @classmethod
    def open(cls, data_dir: Path) -> Store:
        """Open or create the store in `data_dir`. Raises `DataInUseError`, `FormatError`."""
        data_dir.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            lock = DirectoryLock(data_dir)
            undo.callback(lock.release)
            _check_format(data_dir)
            store = cls(data_dir, lock)
            undo.pop_all()
        return store

    def topics(self) -> dict[str, TopicMeta]:
        """All topics by name, as of now."""
        return dict(self._topics)

    def create_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> TopicMeta:
        """Create a topic. Raises `TopicExistsError`, `InvalidTopicError`, `InvalidConfigError`."""
        if name in self._topics:
            raise TopicExistsError(f"topic {name!r} exists")
        if not _NAME.match(name) or name in (".", ".."):
            raise InvalidTopicError(f"topic {name!r}: use 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'")
        if not 1 <= partitions <= MAX_PARTITIONS:
            raise InvalidTopicError(f"partitions: {partitions} is not valid; use 1 to {MAX_PARTITIONS}")
        LogConfig.parse(config)
        return self._save(TopicMeta(name, uuid.UUID(bytes=secrets.token_bytes(16)), partitions, dict(config)))

    def add_partitions(self, name: str, partitions: int) -> TopicMeta:
        """Raise the number of partitions to `partitions`. Raises `UnknownTopicError`, `InvalidTopicError`."""
        meta = self._topic(name)
        if not meta.partitions < partitions <= MAX_PARTITIONS:
            raise InvalidTopicError(
                f"partitions: {partitions} is not valid; use {meta.partitions + 1} to {MAX_PARTITIONS}"
            )
        return self._save(TopicMeta(name, meta.topic_id, partitions, meta.config))

    def alter_config(self, name: str, config: Mapping[str, str]) -> TopicMeta:
        """Replace a topic's settings, at once for all partitions. Raises `UnknownTopicError`, `InvalidConfigError`."""
        meta = self._topic(name)
        parsed = LogConfig.parse(config)
        for (topic, _), log in self._logs.items():
            if topic == name:
                log.config = parsed
        return self._save(TopicMeta(name, meta.topic_id, meta.partitions, dict(config)))

    def delete_topic(self, name: str) -> None:
        """Remove a topic with its records. Logs that were handed out refuse further calls."""
        meta = self._topic(name)
        self.state.delete(_TOPIC, name)
        del self._topics[name]
        for key in [key for key in self._logs if key[0] == name]:
            self._logs.pop(key).discard()
        shutil.rmtree(self._topic_folder(meta), ignore_errors=True)

    def log(self, topic: str, partition: int) -> PartitionLog:
        """Return the log of a partition, always the same object. Raises `UnknownTopicError`."""
        log = self._logs.get((topic, partition))
        if log is None:
            meta = self._topic(topic)
            if not 0 <= partition < meta.partitions:
                raise UnknownTopicError(f"topic {topic!r} has no partition {partition}")
            folder = self._topic_folder(meta) / str(partition)
            folder.mkdir(parents=True, exist_ok=True)
            log = self._logs[topic, partition] = PartitionLog(folder, LogConfig.parse(meta.config), self._pool)
        return log

    def maintain(self, now_ms: int) -> None:
        """Retention, compaction, segment roll by time and checkpoints of every partition, in one go."""
        for _ in self.maintenance(now_ms):
            pass

    def maintenance(self, now_ms: int) -> Iterator[None]:
        """Do what `maintain` does in small steps, a few milliseconds each: the caller serves clients in between.

        One run at a time. Appends, reads and deletions of topics between two steps are fine.
        """
        self.state.maintain()
        for meta in list(self._topics.values()):
            for partition in range(meta.partitions):
                if self._topics.get(meta.name) is meta:
                    yield from maintain_log(self.log(meta.name, partition), now_ms)
                    yield

    def close(self) -> None:
        """Checkpoint everything and let the directory go."""
        for log in self._logs.values():
            log.close()
        self._pool.close()
        self.state.close()
        self._lock.release()

    def _topic(self, name: str) -> TopicMeta:
        meta = self._topics.get(name)
        if meta is None:
            raise UnknownTopicError(f"no topic {name!r}")
        return meta

    def _save(self, meta: TopicMeta) -> TopicMeta:
        value = {"id": meta.topic_id.bytes, "partitions": meta.partitions, "config": dict(meta.config)}
        self.state.put(_TOPIC, meta.name, value)
        self._topics[meta.name] = meta
        return meta

    def _topic_folder(self, meta: TopicMeta) -> Path:
        # By id: a topic created again under the same name never meets its predecessor's files.
        return self._folder / "topics" / meta.topic_id.hex

    def _remove_orphans(self) -> None:
        """Finish deletions that a crash interrupted."""
        known = {meta.topic_id.hex for meta in self._topics.values()}
        for folder in (self._folder / "topics").glob("*"):
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)


def _meta(name: str, value: Value) -> TopicMeta:
    return TopicMeta(name, uuid.UUID(bytes=value["id"]), value["partitions"], value["config"])


def _check_format(folder: Path) -> None:
    marker = folder / "format"
    if not marker.exists():
        if any(entry.name != "lock" for entry in folder.iterdir()):
            raise FormatError(f"{folder} holds other files and no devstack data; choose an empty directory")
        marker.write_text(FORMAT)
    elif marker.read_text() != FORMAT:
        raise FormatError(
            f"{folder} was written by another version ({marker.read_text()!r}); this one reads {FORMAT!r}"
        )
