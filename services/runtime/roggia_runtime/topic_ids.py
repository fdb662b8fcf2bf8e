"""Ids of topics (KIP-516), which aiokafka's requests are too old to know: a topic that is made anew has another one."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from roggia_runtime import connecting
from roggia_runtime.denials import translated
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.topic_apply import refuse

_TEXT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)
_HALVES = ("id_high", Int64), ("id_low", Int64)
_PARTITION = (
    ("error_code", Int16),
    ("partition_index", Int32),
    ("leader_id", Int32),
    ("leader_epoch", Int32),
    ("replica_nodes", CompactArray(Int32)),
    ("isr_nodes", CompactArray(Int32)),
    ("offline_replicas", CompactArray(Int32)),
    _TAGS,
)
_TOPIC = (
    ("error_code", Int16),
    ("name", _TEXT),
    *_HALVES,
    ("is_internal", Boolean),
    ("partitions", CompactArray(*_PARTITION)),
    ("authorized_operations", Int32),
    _TAGS,
)


class MetadataResponse_v12(Response):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), _TAGS)),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        ("topics", CompactArray(*_TOPIC)),
        _TAGS,
    )


class MetadataRequest_v12(RequestStruct):  # type: ignore[misc]  # noqa: N801, D101
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = MetadataResponse_v12
    SCHEMA = Schema(
        ("topics", CompactArray(*_HALVES, ("name", _TEXT), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _Ask(Request[MetadataRequest_v12]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[MetadataRequest_v12]) -> MetadataRequest_v12:
        """See aiokafka's `Request`."""
        return request_struct_class([(0, 0, name, {}) for name in self._names], False, False, {})


class TopicIds:
    """Asks for topics' ids, over one connection that is made when it is first needed. From one task at a time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: AIOKafkaAdminClient | None = None

    async def of(self, names: Collection[str]) -> Mapping[str, str]:
        """Ids, as UUIDs, of those of the topics that exist. Needs Kafka 3.1 or newer.

        Raises `UnavailableError` when no broker answers, `AdminError` when Kafka refuses.
        """
        if self._client is None:
            self._client = await connecting.start_admin(self._settings)
        try:
            async with translated(self._settings):
                answer: Any = await self._client._send_request(_Ask(names))  # noqa: SLF001  # the client has no such call
        except BaseException:
            await self.stop()
            raise
        return dict(_ids(answer))

    async def stop(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def _ids(answer: Any) -> Iterator[tuple[str, str]]:
    for code, name, high, low, *_ in answer.topics:
        if not code:
            yield str(name), str(uuid.UUID(int=(high % 2**64) << 64 | low % 2**64))
        elif for_code(code) is not UnknownTopicOrPartitionError:
            refuse(code, f"cannot ask for the id of topic {name}")
