"""DescribeProducers (KIP-664), which aiokafka lacks: where transactions of a producer are open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

_TEXT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)
_PRODUCER = (
    ("producer_id", Int64),
    ("producer_epoch", Int32),
    ("last_sequence", Int32),
    ("last_timestamp", Int64),
    ("coordinator_epoch", Int32),
    ("current_txn_start_offset", Int64),
    _TAGS,
)
_PARTITION = (
    ("partition_index", Int32),
    ("error_code", Int16),
    ("error_message", _TEXT),
    ("active_producers", CompactArray(*_PRODUCER)),
    _TAGS,
)


class DescribeProducersResponse_v0(Response):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("topics", CompactArray(("name", _TEXT), ("partitions", CompactArray(*_PARTITION)), _TAGS)),
        _TAGS,
    )


class DescribeProducersRequest_v0(RequestStruct):  # type: ignore[misc]  # noqa: N801, D101
    FLEXIBLE_VERSION = True
    API_KEY = 61
    API_VERSION = 0
    RESPONSE_TYPE = DescribeProducersResponse_v0
    SCHEMA = Schema(
        ("topics", CompactArray(("name", _TEXT), ("partition_indexes", CompactArray(Int32)), _TAGS)),
        _TAGS,
    )


class _Describe(Request[DescribeProducersRequest_v0]):  # type: ignore[misc]
    API_KEY = 61

    def __init__(self, partitions: Collection[TopicPartition]) -> None:
        self._numbers: dict[str, list[int]] = defaultdict(list)
        for tp in partitions:
            self._numbers[tp.topic].append(tp.partition)

    def build(self, request_struct_class: type[DescribeProducersRequest_v0]) -> DescribeProducersRequest_v0:
        """See aiokafka's `Request`."""
        return request_struct_class([(name, numbers, {}) for name, numbers in self._numbers.items()], {})


@dataclass(frozen=True, slots=True)
class Told:
    """What the brokers say: in which partitions a transaction is open, and of which topics they do not tell."""

    open: frozenset[TopicPartition] = frozenset()
    denied: frozenset[str] = frozenset()
    """Topics that this client may not read: Kafka wants READ for this question."""


async def still_open(client: AIOKafkaProducer, partitions: Collection[TopicPartition]) -> Told:
    """Those of `partitions` in which a transaction of this started, transactional producer has not ended.

    Nothing where a broker lacks the request (before Kafka 2.8).
    Raises `KafkaError`, also when a broker does not lead a partition or does not know it now: ask again.
    """
    by_leader: dict[int, list[TopicPartition]] = defaultdict(list)
    for tp in partitions:
        leader = client.client.cluster.leader_for_partition(tp)
        if leader is None or leader < 0:
            client.client.force_metadata_update()
            raise NotLeaderForPartitionError(f"{tp.topic}/{tp.partition} has no leader")
        by_leader[leader].append(tp)
    producer_id = client._txn_manager.producer_id  # noqa: SLF001  # the client shows it nowhere else
    told = Told()
    for leader, led in by_leader.items():
        try:
            answer = await client.client.send(leader, _Describe(led))
        except IncompatibleBrokerVersion:
            return Told()
        try:
            one = _told(answer, producer_id)
        except KafkaError:
            client.client.force_metadata_update()
            raise
        told = Told(told.open | one.open, told.denied | one.denied)
    return told


def _told(answer: Any, producer_id: int) -> Told:
    found, denied = set(), set()
    for topic, partitions, _ in answer.topics:
        for number, code, _, producers, _ in partitions:
            if code == TopicAuthorizationFailedError.errno:
                denied.add(topic)
            elif code:
                raise for_code(code)(f"{topic}/{number}")
            if any(who == producer_id and start >= 0 for who, *_, start, _ in producers):
                found.add(TopicPartition(topic, number))
    return Told(frozenset(found), frozenset(denied))
