"""CreateTopics, CreatePartitions and DeleteTopics."""

from __future__ import annotations

from collections import Counter
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api import assignments, topic_configs, topic_names
from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.broker.topics import Topics
from roggia_devstack.groups.offsets import Offsets
from roggia_devstack.storage import TopicMeta
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

_MOST_PARTITIONS: Final = 10_000
_TOPIC_SOURCE, _DEFAULT_SOURCE = 1, 5
Refusal = tuple[ErrorCode, str]
_REPEATED: Final[Refusal] = (ErrorCode.invalid_request, "the request names this topic twice")


class TopicsApi:
    """Makes and removes topics. `default_partitions` serves requests that leave the number open (-1)."""

    def __init__(self, topics: Topics, offsets: Offsets, *, node_id: int, default_partitions: int) -> None:
        self._node_id = node_id
        self._topics = topics
        self._offsets = offsets
        self._default_partitions = default_partitions

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {
            apis.CREATE_TOPICS: self._create_topics,
            apis.CREATE_PARTITIONS: self._create_partitions,
            apis.DELETE_TOPICS: self._delete_topics,
        }

    def _create_topics(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        named = Counter(topic["name"] for topic in request["topics"])
        only_check = bool(request.get("validate_only", False))
        return {"topics": [self._create(topic, named[topic["name"]] > 1, only_check) for topic in request["topics"]]}

    def _create(self, topic: Message, repeated: bool, only_check: bool) -> Message:
        refusal = _REPEATED if repeated else self._refusal(topic)
        if refusal is not None:
            code, message = refusal
            return {
                "name": topic["name"],
                "topic_id": None,
                "error_code": code,
                "error_message": message,
                "configs": None,
            }
        partitions = self._partitions(topic)
        config = {item["name"]: topic_configs.normal(item["name"], item["value"]) for item in topic["configs"]}
        meta = None if only_check else self._topics.create(topic["name"], partitions, config)
        return {
            "name": topic["name"],
            "topic_id": meta.topic_id if meta else None,
            "error_message": None,
            "num_partitions": partitions,
            "replication_factor": 1,
            "configs": [_created_config(name, config) for name in topic_configs.KEYS],
        }

    def _partitions(self, topic: Message) -> int:
        if topic["assignments"]:
            return len(topic["assignments"])
        asked = int(topic["num_partitions"])
        return self._default_partitions if asked == -1 else asked

    def _refusal(self, topic: Message) -> Refusal | None:
        if (reason := topic_names.problem(topic["name"])) is not None:
            return ErrorCode.invalid_topic_exception, reason
        if self._topics.get(topic["name"]) is not None:
            return ErrorCode.topic_already_exists, f"topic {topic['name']!r} exists already"
        other = topic_names.colliding(topic["name"], (meta.name for meta in self._topics.all()))
        if other is not None:
            return ErrorCode.invalid_topic_exception, f"topic {topic['name']!r} differs from {other!r} in . and _ alone"
        if topic["assignments"]:
            refused = assignments.of_new_topic(topic, self._node_id)
            return self._config_refusal(topic) if refused is None else refused
        if topic["replication_factor"] not in {-1, 1}:
            return (
                ErrorCode.invalid_replication_factor,
                "replication factor: this cluster has one broker; ask for 1 or -1",
            )
        partitions = self._partitions(topic)
        if not 1 <= partitions <= _MOST_PARTITIONS:
            return ErrorCode.invalid_partitions, f"partitions: {partitions} is outside 1..{_MOST_PARTITIONS}"
        return self._config_refusal(topic)

    def _config_refusal(self, topic: Message) -> Refusal | None:
        problems = (topic_configs.problem(item["name"], item["value"]) for item in topic["configs"])
        first = next((reason for reason in problems if reason is not None), None)
        return None if first is None else (ErrorCode.invalid_config, first)

    def _create_partitions(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        times = Counter(topic["name"] for topic in request["topics"])
        once = {topic["name"]: topic for topic in request["topics"]}
        only_check = bool(request["validate_only"])
        return {"results": [self._grow(topic, times[name] > 1, only_check) for name, topic in once.items()]}

    def _grow(self, topic: Message, repeated: bool, only_check: bool) -> Message:
        meta, wanted = self._topics.get(topic["name"]), topic["count"]
        refusal: Refusal | None = None
        if repeated:
            refusal = _REPEATED
        elif meta is None:
            refusal = ErrorCode.unknown_topic_or_partition, "the topic does not exist"
        elif not meta.partitions < wanted <= _MOST_PARTITIONS:
            refusal = (
                ErrorCode.invalid_partitions,
                f"count: {wanted} is outside {meta.partitions + 1}..{_MOST_PARTITIONS}",
            )
        elif topic["assignments"] is not None:
            refusal = assignments.of_new_partitions(topic["assignments"], wanted - meta.partitions, self._node_id)
        if refusal is None and meta is not None and not only_check:
            self._topics.add_partitions(meta.name, wanted)
        code, message = refusal or (ErrorCode.none, None)
        return {"name": topic["name"], "error_code": code, "error_message": message}

    def _delete_topics(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - both forms are read
        named = [{"name": name} for name in request.get("topic_names", ())]
        wanted = [*named, *request.get("topics", ())]
        times = Counter((topic.get("name"), topic.get("topic_id")) for topic in wanted)
        return {
            "responses": [
                self._delete(topic, times[topic.get("name"), topic.get("topic_id")] > 1)
                for topic in {(topic.get("name"), topic.get("topic_id")): topic for topic in wanted}.values()
            ]
        }

    def _delete(self, topic: Message, repeated: bool) -> Message:
        name, topic_id = topic.get("name"), topic.get("topic_id") or None
        has_id = topic_id is not None and topic_id.int != 0
        if repeated or (name is not None) == has_id:
            refused = _REPEATED[1] if repeated else "a topic is named either by name or by id"
            code = ErrorCode.invalid_request
            return {"name": name, "topic_id": topic_id, "error_code": code, "error_message": refused}
        meta = self._topics.get(name) if name is not None else self._topics.by_id(topic_id)
        if meta is None:
            code = ErrorCode.unknown_topic_id if name is None else ErrorCode.unknown_topic_or_partition
            return {"name": name, "topic_id": topic.get("topic_id"), "error_code": code}
        self._remove(meta)
        return {"name": meta.name, "topic_id": meta.topic_id, "error_code": ErrorCode.none}

    def _remove(self, meta: TopicMeta) -> None:
        self._topics.delete(meta.name)
        self._offsets.forget_topic(meta.name)


def _created_config(name: str, config: Message) -> Message:
    source = _TOPIC_SOURCE if name in config else _DEFAULT_SOURCE
    value = topic_configs.value_of(config, name)
    return {"name": name, "value": value, "read_only": False, "config_source": source, "is_sensitive": False}
