"""Which APIs and versions this broker speaks, and the messages of each.

The versions are what aiokafka 0.14, librdkafka 2.16 and Apache Kafka's 4.3 tools choose from; versions that need a
newer transaction protocol (InitProducerId 6, EndTxn 5, TxnOffsetCommit 5, AddPartitionsToTxn 4) are left out on
purpose.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Final

from roggia_devstack.wire.errors import UnsupportedApiError


@dataclass(frozen=True, slots=True)
class Api:
    """One request type. ApiVersions names `advertised` as the lowest version; `lowest` is the lowest that is served."""

    key: int
    name: str
    lowest: int
    highest: int
    advertised: int


def _api(key: int, name: str, lowest: int, highest: int, advertised: int | None = None) -> Api:
    return Api(key, name, lowest, highest, lowest if advertised is None else advertised)


# librdkafka takes a Produce range that does not begin at 0 for a broker too old to speak to (its issue 4956).
PRODUCE: Final = _api(0, "produce", 3, 13, advertised=0)
FETCH: Final = _api(1, "fetch", 4, 18)
LIST_OFFSETS: Final = _api(2, "list_offsets", 1, 11)
METADATA: Final = _api(3, "metadata", 0, 13)
OFFSET_COMMIT: Final = _api(8, "offset_commit", 2, 9)
OFFSET_FETCH: Final = _api(9, "offset_fetch", 1, 9)
FIND_COORDINATOR: Final = _api(10, "find_coordinator", 0, 6)
JOIN_GROUP: Final = _api(11, "join_group", 0, 9)
HEARTBEAT: Final = _api(12, "heartbeat", 0, 4)
LEAVE_GROUP: Final = _api(13, "leave_group", 0, 5)
SYNC_GROUP: Final = _api(14, "sync_group", 0, 5)
DESCRIBE_GROUPS: Final = _api(15, "describe_groups", 0, 6)
LIST_GROUPS: Final = _api(16, "list_groups", 0, 5)
API_VERSIONS: Final = _api(18, "api_versions", 0, 4)
CREATE_TOPICS: Final = _api(19, "create_topics", 2, 7)
DELETE_TOPICS: Final = _api(20, "delete_topics", 1, 6)
DELETE_RECORDS: Final = _api(21, "delete_records", 0, 2)
INIT_PRODUCER_ID: Final = _api(22, "init_producer_id", 0, 5)
ADD_PARTITIONS_TO_TXN: Final = _api(24, "add_partitions_to_txn", 0, 3)
ADD_OFFSETS_TO_TXN: Final = _api(25, "add_offsets_to_txn", 0, 3)
END_TXN: Final = _api(26, "end_txn", 0, 4)
TXN_OFFSET_COMMIT: Final = _api(28, "txn_offset_commit", 0, 4)
DESCRIBE_CONFIGS: Final = _api(32, "describe_configs", 1, 4)
ALTER_CONFIGS: Final = _api(33, "alter_configs", 0, 2)
CREATE_PARTITIONS: Final = _api(37, "create_partitions", 0, 3)
DELETE_GROUPS: Final = _api(42, "delete_groups", 0, 2)
INCREMENTAL_ALTER_CONFIGS: Final = _api(44, "incremental_alter_configs", 0, 1)
OFFSET_DELETE: Final = _api(47, "offset_delete", 0, 0)
DESCRIBE_CLUSTER: Final = _api(60, "describe_cluster", 0, 2)
DESCRIBE_TRANSACTIONS: Final = _api(65, "describe_transactions", 0, 0)
LIST_TRANSACTIONS: Final = _api(66, "list_transactions", 0, 1)

APIS: Final = {api.key: api for api in tuple(globals().values()) if isinstance(api, Api)}


@dataclass(frozen=True, slots=True)
class MessagePair:
    """The kio classes of one API version, and whether its headers carry tagged fields."""

    request: type
    response: type
    flexible: bool


@functools.cache
def messages(api: Api, version: int) -> MessagePair:
    """Request and response classes of an API version; raises `UnsupportedApiError` outside the served range."""
    if not api.lowest <= version <= api.highest:
        raise UnsupportedApiError(f"{api.name} version {version} is outside {api.lowest}..{api.highest}")
    camel = "".join(part.capitalize() for part in api.name.split("_"))
    request = getattr(importlib.import_module(f"kio.schema.{api.name}.v{version}.request"), f"{camel}Request")
    response = getattr(importlib.import_module(f"kio.schema.{api.name}.v{version}.response"), f"{camel}Response")
    return MessagePair(request, response, bool(request.__flexible__))
