"""Replicas that a client places by hand: with one broker there is one place, and Kafka's rules for naming it."""

from __future__ import annotations

from collections.abc import Sequence

from kio.schema.errors import ErrorCode

from roggia_devstack.wire.decode import Message

Refusal = tuple[ErrorCode, str]


def of_new_topic(topic: Message, node_id: int) -> Refusal | None:
    """Why the assignments of a topic to be made are refused, or None."""
    if topic["num_partitions"] != -1 or topic["replication_factor"] != -1:
        return ErrorCode.invalid_request, "partitions and replication factor are -1 where replicas are assigned"
    if sorted(one["partition_index"] for one in topic["assignments"]) != list(range(len(topic["assignments"]))):
        return ErrorCode.invalid_replica_assignment, "assigned partitions are numbered from 0 without a gap"
    return _places([one["broker_ids"] for one in topic["assignments"]], node_id)


def of_new_partitions(assigned: Sequence[Message], count: int, node_id: int) -> Refusal | None:
    """Why the assignments of `count` partitions to be added are refused, or None."""
    if len(assigned) != count:
        return ErrorCode.invalid_replica_assignment, f"assignments: {len(assigned)} for {count} new partitions"
    return _places([one["broker_ids"] for one in assigned], node_id)


def _places(places: Sequence[Sequence[int]], node_id: int) -> Refusal | None:
    wrong = next((place for place in places if list(place) != [node_id]), None)
    if wrong is None:
        return None
    return ErrorCode.invalid_replica_assignment, f"replicas: {list(wrong)}; the only broker is {node_id}"
