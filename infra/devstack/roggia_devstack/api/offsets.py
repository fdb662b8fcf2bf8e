"""OffsetCommit, OffsetFetch and OffsetDelete."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.broker.topics import Topics
from roggia_devstack.groups.coordinator import GroupCoordinator
from roggia_devstack.groups.offsets import Committed, Offsets, TopicPartition
from roggia_devstack.groups.subscriptions import subscribed
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

LONGEST_METADATA: Final = 4096
_CONSUMERS: Final = "consumer"
_FIRST_COMMIT_THAT_KNOWS_NOT_FOUND: Final = 9
_FIRST_FETCH_OF_MANY: Final = 8
_FIRST_FETCH_OF_ALL_BY_NULL: Final = 2
Checked = tuple[list[Message], dict[TopicPartition, Committed]]


def check_commits(request: Message, topics: Topics, refused: ErrorCode) -> Checked:
    """Return a commit's answer and what of it is to be stored: what exists and is not too long."""
    answer: list[Message] = []
    commits: dict[TopicPartition, Committed] = {}
    for topic in request["topics"]:
        parts = []
        for part in topic["partitions"]:
            code = _commit_error(part, topic["name"], topics) if refused is ErrorCode.none else refused
            parts.append({"partition_index": part["partition_index"], "error_code": code})
            if code is ErrorCode.none:
                commits[topic["name"], part["partition_index"]] = Committed(
                    part["committed_offset"], part.get("committed_leader_epoch", -1), part["committed_metadata"] or ""
                )
        answer.append({"name": topic["name"], "partitions": parts})
    return answer, commits


def _commit_error(part: Message, topic: str, topics: Topics) -> ErrorCode:
    if topics.log(topic, part["partition_index"]) is None:
        return ErrorCode.unknown_topic_or_partition
    if len(part["committed_metadata"] or "") > LONGEST_METADATA:
        return ErrorCode.offset_metadata_too_large
    return ErrorCode.none


class OffsetsApi:
    """Where groups have come to."""

    def __init__(self, coordinator: GroupCoordinator, offsets: Offsets, topics: Topics) -> None:
        self._coordinator = coordinator
        self._offsets = offsets
        self._topics = topics

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {apis.OFFSET_COMMIT: self._commit, apis.OFFSET_FETCH: self._fetch, apis.OFFSET_DELETE: self._delete}

    def _commit(self, request: Message, call: Call) -> Message:
        group_id = request["group_id"]
        refused = self._coordinator.may_commit(
            group_id,
            request["member_id"],
            request.get("group_instance_id"),
            request["generation_id_or_member_epoch"],
        )
        if refused is ErrorCode.group_id_not_found and call.version < _FIRST_COMMIT_THAT_KNOWS_NOT_FOUND:
            refused = ErrorCode.illegal_generation
        answer, commits = check_commits(request, self._topics, refused)
        if commits:
            self._offsets.commit(group_id, commits)
        return {"topics": answer}

    def _fetch(self, request: Message, call: Call) -> Message:
        stable = bool(request.get("require_stable", False))
        if call.version >= _FIRST_FETCH_OF_MANY:
            return {"groups": [self._group(group["group_id"], group["topics"], stable) for group in request["groups"]]}
        wanted = request["topics"]
        if wanted is None and call.version < _FIRST_FETCH_OF_ALL_BY_NULL:
            wanted = []
        return self._group(request["group_id"], wanted, stable)

    def _group(self, group_id: str, wanted: list[Message] | None, stable: bool) -> Message:
        committed = self._offsets.of(group_id)
        unstable = self._offsets.unstable(group_id) if stable else set()
        if wanted is None:
            wanted = _by_topic(committed)
        topics = [
            {
                "name": topic["name"],
                "partitions": [
                    _position(index, committed.get((topic["name"], index)), (topic["name"], index) in unstable)
                    for index in topic["partition_indexes"]
                ],
            }
            for topic in wanted
        ]
        return {"group_id": group_id, "topics": topics, "error_code": ErrorCode.none}

    def _delete(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - one version
        group_id = request["group_id"]
        group = self._coordinator.get(group_id)
        if group is None and not self._offsets.of(group_id):
            return {"error_code": ErrorCode.group_id_not_found, "topics": ()}
        if group is not None and group.members and group.protocol_type != _CONSUMERS:
            return {"error_code": ErrorCode.non_empty_group, "topics": ()}
        read = subscribed(group)
        topics, gone = [], []
        for topic in request["topics"]:
            parts = []
            for part in topic["partitions"]:
                key = topic["name"], part["partition_index"]
                code = self._deletable(key, read)
                gone += [key] if code is ErrorCode.none else []
                parts.append({"partition_index": part["partition_index"], "error_code": code})
            topics.append({"name": topic["name"], "partitions": parts})
        self._offsets.forget(group_id, gone)
        return {"error_code": ErrorCode.none, "topics": topics}

    def _deletable(self, partition: TopicPartition, read: frozenset[str] | None) -> ErrorCode:
        if self._topics.log(*partition) is None:
            return ErrorCode.unknown_topic_or_partition
        used = read is None or partition[0] in read
        return ErrorCode.group_subscribed_to_topic if used else ErrorCode.none


def _by_topic(partitions: Iterable[TopicPartition]) -> list[Message]:
    topics: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        topics.setdefault(topic, []).append(partition)
    return [{"name": topic, "partition_indexes": indexes} for topic, indexes in topics.items()]


def _position(index: int, committed: Committed | None, unstable: bool) -> Message:
    known = Committed(-1) if committed is None or unstable else committed
    return {
        "partition_index": index,
        "committed_offset": known.offset,
        "committed_leader_epoch": known.leader_epoch,
        "metadata": known.metadata,
        "error_code": ErrorCode.unstable_offset_commit if unstable else ErrorCode.none,
    }
