"""JoinGroup, SyncGroup, Heartbeat and LeaveGroup: requests to and from the group's state machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.groups.coordinator import GroupCoordinator
from roggia_devstack.groups.model import Join, Joined, Synced
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

_FIRST_JOIN_THAT_ASKS_TWICE: Final = 4
_FIRST_JOIN_THAT_SKIPS: Final = 9
_FIRST_LEAVE_OF_MANY: Final = 3


class GroupsApi:
    """Members' requests."""

    def __init__(self, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {
            apis.JOIN_GROUP: self._join,
            apis.SYNC_GROUP: self._sync,
            apis.HEARTBEAT: self._heartbeat,
            apis.LEAVE_GROUP: self._leave,
        }

    def _join(self, request: Message, call: Call) -> Message | Awaitable[Message]:
        session_ms: int = request["session_timeout"]
        rebalance_ms: int = request.get("rebalance_timeout", session_ms)
        ask = Join(
            member_id=request["member_id"],
            instance_id=request.get("group_instance_id"),
            client_id=call.client_id,
            host=f"/{call.host}",
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=rebalance_ms,
            protocol_type=request["protocol_type"],
            protocols={protocol["name"]: protocol["metadata"] for protocol in request["protocols"]},
            needs_id=call.version >= _FIRST_JOIN_THAT_ASKS_TWICE,
            skips_assignment=call.version >= _FIRST_JOIN_THAT_SKIPS,
        )
        joined = self._coordinator.join(request["group_id"], ask)
        null_protocol = call.version >= 7
        return _joined(joined, null_protocol) if isinstance(joined, Joined) else _joined_later(joined, null_protocol)

    def _sync(self, request: Message, call: Call) -> Message | Awaitable[Message]:  # noqa: ARG002 - same for all versions
        synced = self._coordinator.sync(
            request["group_id"],
            request["member_id"],
            request.get("group_instance_id"),
            request["generation_id"],
            {item["member_id"]: item["assignment"] for item in request["assignments"]},
            (request.get("protocol_type"), request.get("protocol_name")),
        )
        return _synced(synced) if isinstance(synced, Synced) else _synced_later(synced)

    def _heartbeat(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        code = self._coordinator.heartbeat(
            request["group_id"], request["member_id"], request.get("group_instance_id"), request["generation_id"]
        )
        return {"error_code": code}

    def _leave(self, request: Message, call: Call) -> Message:
        group_id = request["group_id"]
        if call.version < _FIRST_LEAVE_OF_MANY:
            return {"error_code": self._coordinator.leave(group_id, request["member_id"], None)}
        members = [
            {
                "member_id": member["member_id"],
                "group_instance_id": member["group_instance_id"],
                "error_code": self._coordinator.leave(group_id, member["member_id"], member["group_instance_id"]),
            }
            for member in request["members"]
        ]
        return {"error_code": ErrorCode.none, "members": members}


async def _joined_later(joined: asyncio.Future[Joined], null_protocol: bool) -> Message:
    return _joined(await joined, null_protocol)


def _joined(joined: Joined, null_protocol: bool) -> Message:
    return {
        "error_code": joined.error,
        "generation_id": joined.generation,
        "protocol_type": joined.protocol_type,
        "protocol_name": joined.protocol if joined.protocol is not None or null_protocol else "",
        "leader": joined.leader,
        "skip_assignment": joined.skip_assignment,
        "member_id": joined.member_id,
        "members": [
            {"member_id": member_id, "group_instance_id": instance_id, "metadata": metadata}
            for member_id, instance_id, metadata in joined.members
        ],
    }


async def _synced_later(synced: asyncio.Future[Synced]) -> Message:
    return _synced(await synced)


def _synced(synced: Synced) -> Message:
    return {
        "error_code": synced.error,
        "protocol_type": synced.protocol_type,
        "protocol_name": synced.protocol,
        "assignment": synced.assignment,
    }
