"""DescribeAcls, CreateAcls and DeleteAcls on aiokafka's protocol layer, which has none of them.

Version 1 of each: the least that Apache Kafka 4 speaks, and the first that knows prefixed resource names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

Row: TypeAlias = tuple[int, str | None, int, str | None, str | None, int, int]
"""Resource type, name, pattern type, principal, host, operation, permission."""

_TEXT = String("utf-8")
_ERROR = (("error_code", Int16), ("error_message", _TEXT))
_RESOURCE = (("resource_type", Int8), ("resource_name", _TEXT), ("pattern_type", Int8))
_ENTRY = (("principal", _TEXT), ("host", _TEXT), ("operation", Int8), ("permission_type", Int8))


class DescribeAclsResponse_v1(Response):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 29
    API_VERSION = 1
    SCHEMA = Schema(("throttle_time_ms", Int32), *_ERROR, ("resources", Array(*_RESOURCE, ("acls", Array(*_ENTRY)))))


class DescribeAclsRequest_v1(RequestStruct):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 29
    API_VERSION = 1
    RESPONSE_TYPE = DescribeAclsResponse_v1
    SCHEMA = Schema(*_RESOURCE, *_ENTRY)


class CreateAclsResponse_v1(Response):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 30
    API_VERSION = 1
    SCHEMA = Schema(("throttle_time_ms", Int32), ("results", Array(*_ERROR)))


class CreateAclsRequest_v1(RequestStruct):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 30
    API_VERSION = 1
    RESPONSE_TYPE = CreateAclsResponse_v1
    SCHEMA = Schema(("creations", Array(*_RESOURCE, *_ENTRY)))


class DeleteAclsResponse_v1(Response):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 31
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("filter_results", Array(*_ERROR, ("matching_acls", Array(*_ERROR, *_RESOURCE, *_ENTRY)))),
    )


class DeleteAclsRequest_v1(RequestStruct):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 31
    API_VERSION = 1
    RESPONSE_TYPE = DeleteAclsResponse_v1
    SCHEMA = Schema(("filters", Array(*_RESOURCE, *_ENTRY)))


class DescribeAcls(Request[DescribeAclsRequest_v1]):  # type: ignore[misc]
    """Every ACL that matches one filter."""

    API_KEY = 29

    def __init__(self, matching: Row) -> None:
        self._matching = matching

    def build(self, request_struct_class: type[DescribeAclsRequest_v1]) -> DescribeAclsRequest_v1:
        """See aiokafka's `Request`."""
        return request_struct_class(*self._matching)


class CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    """Add ACLs; one that exists already stays as it is."""

    API_KEY = 30

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        """See aiokafka's `Request`."""
        return request_struct_class(list(self._rows))


class DeleteAcls(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]
    """Delete the ACLs that match filters. A filter that is a complete row matches that one ACL."""

    API_KEY = 31

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        """See aiokafka's `Request`."""
        return request_struct_class(list(self._rows))
