"""Committed offsets, and those that wait for their transaction to end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from roggia_devstack.storage import StateStore

KIND: Final = "offset"
TopicPartition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Committed:
    """A committed position. `leader_epoch` and `metadata` are kept for the client that wrote them."""

    offset: int
    leader_epoch: int = -1
    metadata: str = ""

    def as_value(self) -> dict[str, Any]:
        """The form on disk."""
        return {"offset": self.offset, "leader_epoch": self.leader_epoch, "metadata": self.metadata}


Commits = Mapping[TopicPartition, Committed]


class Offsets:
    """All groups' offsets: in memory for reading, in the state store before a commit is acknowledged."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._committed: dict[str, dict[TopicPartition, Committed]] = {}
        self._held: dict[int, dict[str, dict[TopicPartition, Committed]]] = {}
        for key, value in state.items(KIND).items():
            group, topic, partition = json.loads(key)
            known = Committed(value["offset"], value["leader_epoch"], value["metadata"])
            self._committed.setdefault(group, {})[topic, partition] = known

    def groups(self) -> Iterable[str]:
        """Groups with at least one committed offset."""
        return self._committed.keys()

    def of(self, group: str) -> Commits:
        """Everything that a group has committed."""
        return self._committed.get(group, {})

    def commit(self, group: str, commits: Commits) -> None:
        """Store positions; they are on disk when this returns."""
        self._state.apply([(KIND, _key(group, *key), position.as_value()) for key, position in commits.items()])
        self._committed.setdefault(group, {}).update(commits)

    def hold(self, producer_id: int, group: str, commits: Commits) -> None:
        """Remember positions of an open transaction; the transaction's own record keeps them on disk."""
        self._held.setdefault(producer_id, {}).setdefault(group, {}).update(commits)

    def release(self, producer_id: int, *, commit: bool) -> None:
        """The producer's transaction has ended: its positions count from now on, or never."""
        for group, commits in self._held.pop(producer_id, {}).items():
            if commit:
                self.commit(group, commits)

    def unstable(self, group: str) -> set[TopicPartition]:
        """Partitions whose position may be changed by an open transaction."""
        return {partition for held in self._held.values() for partition in held.get(group, ())}

    def forget(self, group: str, partitions: Iterable[TopicPartition] | None = None) -> None:
        """Drop positions of a group: those named, or all."""
        committed = self._committed.get(group, {})
        gone = [key for key in (tuple(committed) if partitions is None else partitions) if key in committed]
        if gone:
            self._state.apply([(KIND, _key(group, *key), None) for key in gone])
        for key in gone:
            del committed[key]
        if not committed:
            self._committed.pop(group, None)

    def forget_topic(self, topic: str) -> None:
        """A topic is gone, and with it every position on it, held ones included."""
        for group, committed in tuple(self._committed.items()):
            self.forget(group, [key for key in committed if key[0] == topic])
        for held in self._held.values():
            for commits in held.values():
                for key in [key for key in commits if key[0] == topic]:
                    del commits[key]


def _key(group: str, topic: str, partition: int) -> str:
    return json.dumps([group, topic, partition])
