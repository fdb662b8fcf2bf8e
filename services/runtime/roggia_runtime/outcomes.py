"""DescribeTransactions (KIP-664), which aiokafka lacks: how the last transaction of a transactional id was decided."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaError,
    NoError,
    TransactionalIdAuthorizationFailed,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from roggia_runtime import clients
from roggia_runtime.settings import KafkaSettings

COMMITTED = frozenset({"PrepareCommit", "CompleteCommit"})
"""States of an id whose last transaction is committed, whether or not every partition has its marker."""
BEGUN = "Empty"
"""State of an id that somebody has taken over and done nothing with yet."""
_UNKNOWN_ID = 105
_TRIES, _WAIT_S = 40, 0.25
_TEXT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)
_TOPIC = (("topic", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)
_STATE = (
    ("error_code", Int16),
    ("transactional_id", _TEXT),
    ("transaction_state", _TEXT),
    ("transaction_timeout_ms", Int32),
    ("transaction_start_time_ms", Int64),
    ("producer_id", Int64),
    ("producer_epoch", Int16),
    ("topics", CompactArray(*_TOPIC)),
    _TAGS,
)


class DescribeTransactionsResponse_v0(Response):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(("throttle_time_ms", Int32), ("transaction_states", CompactArray(*_STATE)), _TAGS)


class DescribeTransactionsRequest_v0(RequestStruct):  # type: ignore[misc]  # noqa: N801, D101
    FLEXIBLE_VERSION = True
    API_KEY = 65
    API_VERSION = 0
    RESPONSE_TYPE = DescribeTransactionsResponse_v0
    SCHEMA = Schema(("transactional_ids", CompactArray(_TEXT)), _TAGS)


class _Describe(Request[DescribeTransactionsRequest_v0]):  # type: ignore[misc]
    API_KEY = 65

    def __init__(self, transactional_id: str) -> None:
        self._ids = [transactional_id]

    def build(self, request_struct_class: type[DescribeTransactionsRequest_v0]) -> DescribeTransactionsRequest_v0:
        """See aiokafka's `Request`."""
        return request_struct_class(self._ids, {})


async def last(settings: KafkaSettings, transactional_ids: Collection[str]) -> dict[str, str]:
    """State of each id's last transaction, by Kafka's names for them.

    To be asked before an id is taken over: to take it over forgets the answer. Empty for ids that the
    coordinator does not know, that this client may not describe, or whose broker lacks the request (before Kafka 3.0).
    Raises `KafkaError` when the coordinators do not answer.
    """
    client = AIOKafkaClient(**clients.connection(settings), client_id="outcomes")
    try:
        await client.bootstrap()
        found = await asyncio.gather(*(_state(client, name) for name in transactional_ids))
    finally:
        await client.close()
    return dict(zip(transactional_ids, found, strict=True))


async def _state(client: AIOKafkaClient, name: str) -> str:
    for tries in range(_TRIES):
        try:
            node = await client.coordinator_lookup(CoordinationType.TRANSACTION, name)
            response = await client.send(node, _Describe(name), group=ConnectionGroup.COORDINATION)
            return _told(response)
        except (IncompatibleBrokerVersion, TransactionalIdAuthorizationFailed):
            return ""
        except KafkaError as error:
            if not error.retriable or tries == _TRIES - 1:
                raise
            await asyncio.sleep(_WAIT_S)
    raise AssertionError("unreachable")


def _told(response: Any) -> str:
    ((code, name, state, *_),) = response.transaction_states
    if code == _UNKNOWN_ID:
        return ""
    error = for_code(code)
    if error is not NoError:
        raise error(f"transactional id {name}")
    return str(state)
