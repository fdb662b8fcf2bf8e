"""Topics by name and by id, and their partition logs, looked up once per request."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from roggia_devstack.storage import PartitionLog, Store, TopicMeta


class Topics:
    """A view of the store that is cheap to ask; every change to topics goes through it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_name: dict[str, TopicMeta] = {}
        self._by_id: dict[uuid.UUID, TopicMeta] = {}
        self._logs: dict[tuple[str, int], PartitionLog] = {}
        self._refresh()

    def all(self) -> Iterable[TopicMeta]:
        """Every topic, by name."""
        return [self._by_name[name] for name in sorted(self._by_name)]

    def get(self, name: str | None) -> TopicMeta | None:
        """The topic called `name`, if there is one."""
        return None if name is None else self._by_name.get(name)

    def by_id(self, topic_id: uuid.UUID | None) -> TopicMeta | None:
        """The topic with this id, if there is one."""
        return None if topic_id is None else self._by_id.get(topic_id)

    def log(self, topic: str, partition: int) -> PartitionLog | None:
        """The log of a partition, or None when there is no such partition."""
        log = self._logs.get((topic, partition))
        if log is None and (meta := self._by_name.get(topic)) is not None and 0 <= partition < meta.partitions:
            log = self._logs[topic, partition] = self._store.log(topic, partition)
        return log

    def create(self, name: str, partitions: int, config: Mapping[str, str]) -> TopicMeta:
        """Make a topic; its name and configuration have been checked."""
        self._store.create_topic(name, partitions, dict(config))
        self._refresh()
        return self._by_name[name]

    def add_partitions(self, name: str, partitions: int) -> None:
        """Raise a topic's number of partitions to `partitions`, which is more than it has."""
        self._store.add_partitions(name, partitions)
        self._refresh()

    def delete(self, name: str) -> None:
        """Remove a topic with its records."""
        self._logs = {key: log for key, log in self._logs.items() if key[0] != name}
        self._store.delete_topic(name)
        self._refresh()

    def alter_config(self, name: str, config: Mapping[str, str]) -> None:
        """Replace a topic's configuration."""
        self._store.alter_config(name, dict(config))
        self._refresh()

    def _refresh(self) -> None:
        self._by_name = dict(self._store.topics())
        self._by_id = {meta.topic_id: meta for meta in self._by_name.values()}
