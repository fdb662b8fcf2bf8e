"""Deletes topics and groups for good. Used by `TopicAdmin` alone, which handles what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupIdNotFound, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.admin import DeleteGroupsRequest

from roggia_runtime.topic_apply import refuse

_GONE = frozenset({GroupIdNotFound, UnknownTopicOrPartitionError})


async def delete_topics(client: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Delete topics; one that is gone already is no error. Raises `AdminError` at the first that Kafka refuses."""
    response = await client.delete_topics(list(names))
    for name, code in response.topic_error_codes:
        if for_code(code) not in _GONE:
            refuse(code, f"cannot delete topic {name}")


async def delete_groups(client: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Delete groups with their commits; one that is gone already is no error. Raises `AdminError` at the first that
    Kafka refuses: it refuses every group that has members."""
    for group in names:
        coordinator = await client.find_coordinator(group)
        # The client has no such call.
        response = await client._send_request(DeleteGroupsRequest([group]), coordinator)  # noqa: SLF001
        for name, code in response.results:
            if for_code(code) not in _GONE:
                refuse(code, f"cannot delete group {name}")
