"""Metadata, FindCoordinator and DescribeCluster: where everything is, which is always here."""

from __future__ import annotations

import uuid
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api import topic_names
from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.broker.topics import Topics
from roggia_devstack.storage import TopicMeta
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

_NO_OPERATIONS: Final = -(2**31)
_ALL_TOPICS_BY_EMPTY_LIST: Final = 0
_COORDINATED: Final = (0, 1)
"""Key types of FindCoordinator that are served: groups and transactions."""


class ClusterApi:
    """The one-node cluster, described. `auto_create` is the number of partitions for topics made on demand, or None."""

    def __init__(self, topics: Topics, *, node_id: int, cluster_id: str, auto_create: int | None) -> None:
        self._topics = topics
        self._node_id = node_id
        self._cluster_id = cluster_id
        self._auto_create = auto_create
        self._endpoint = ("", 0)

    def advertise(self, host: str, port: int) -> None:
        """Set where clients are told to connect, once the port is known."""
        self._endpoint = (host, port)

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {
            apis.METADATA: self._metadata,
            apis.FIND_COORDINATOR: self._find_coordinator,
            apis.DESCRIBE_CLUSTER: self._describe_cluster,
        }

    def _metadata(self, request: Message, call: Call) -> Message:
        wanted = request["topics"]
        if wanted is None or (not wanted and call.version == _ALL_TOPICS_BY_EMPTY_LIST):
            topics = [self._topic(meta) for meta in self._topics.all()]
        else:
            may_create = bool(request.get("allow_auto_topic_creation", True))
            topics = [self._wanted_topic(item, may_create) for item in wanted]
        return {
            "brokers": [self._broker()],
            "cluster_id": self._cluster_id,
            "controller_id": self._node_id,
            "topics": topics,
        }

    def _broker(self) -> Message:
        host, port = self._endpoint
        return {"node_id": self._node_id, "host": host, "port": port, "rack": None}

    def _wanted_topic(self, item: Message, may_create: bool) -> Message:
        name: str | None = item.get("name")
        if name is None:
            topic_id = item.get("topic_id")
            meta = self._topics.by_id(topic_id)
            return self._topic(meta) if meta else _missing(None, topic_id, ErrorCode.unknown_topic_id)
        meta = self._topics.get(name)
        if meta is not None:
            return self._topic(meta)
        if topic_names.problem(name) is not None:
            return _missing(name, None, ErrorCode.invalid_topic_exception)
        if may_create and self._auto_create is not None:
            return self._topic(self._topics.create(name, self._auto_create, {}))
        return _missing(name, None, ErrorCode.unknown_topic_or_partition)

    def _topic(self, meta: TopicMeta) -> Message:
        node = self._node_id
        return {
            "error_code": ErrorCode.none,
            "name": meta.name,
            "topic_id": meta.topic_id,
            "partitions": [
                {
                    "partition_index": index,
                    "leader_id": node,
                    "leader_epoch": 0,
                    "replica_nodes": (node,),
                    "isr_nodes": (node,),
                }
                for index in range(meta.partitions)
            ],
            "topic_authorized_operations": _NO_OPERATIONS,
        }

    def _find_coordinator(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - one node coordinates all
        host, port = self._endpoint
        known = request.get("key_type", 0) in _COORDINATED
        where = {
            "node_id": self._node_id,
            "host": host,
            "port": port,
            "error_code": ErrorCode.none if known else ErrorCode.invalid_request,
            "error_message": None,
        }
        return where | {"coordinators": [{"key": key, **where} for key in request.get("coordinator_keys", ())]}

    def _describe_cluster(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - one node, one answer
        host, port = self._endpoint
        return {
            "error_message": None,
            "endpoint_type": request.get("endpoint_type", 1),
            "cluster_id": self._cluster_id,
            "controller_id": self._node_id,
            "brokers": [{"broker_id": self._node_id, "host": host, "port": port, "rack": None, "is_fenced": False}],
            "cluster_authorized_operations": _NO_OPERATIONS,
        }


def _missing(name: str | None, topic_id: uuid.UUID | None, code: ErrorCode) -> Message:
    return {"error_code": code, "name": name, "topic_id": topic_id, "partitions": ()}
