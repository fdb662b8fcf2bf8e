"""ListGroups, DescribeGroups and DeleteGroups."""

from __future__ import annotations

from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.groups.coordinator import GroupCoordinator
from roggia_devstack.groups.group import Group
from roggia_devstack.groups.model import GroupState
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

_TYPE: Final = "classic"
_DEAD: Final = "Dead"
_FIRST_THAT_KNOWS_NOT_FOUND: Final = 6
_NO_OPERATIONS: Final = -(2**31)


class GroupAdminApi:
    """Groups as operators see them."""

    def __init__(self, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {apis.LIST_GROUPS: self._list, apis.DESCRIBE_GROUPS: self._describe, apis.DELETE_GROUPS: self._delete}

    def _list(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - filters are absent in old versions
        states = {state.lower() for state in request.get("states_filter", ())}
        types = {kind.lower() for kind in request.get("types_filter", ())}
        listed = [] if types and _TYPE not in types else [self._listed(name) for name in self._coordinator.names()]
        groups = [group for group in listed if not states or group["group_state"].lower() in states]
        return {"error_code": ErrorCode.none, "groups": groups}

    def _listed(self, name: str) -> Message:
        group = self._coordinator.get(name)
        return {
            "group_id": name,
            "protocol_type": "" if group is None else group.protocol_type,
            "group_state": (GroupState.EMPTY if group is None else group.state).value,
            "group_type": _TYPE,
        }

    def _describe(self, request: Message, call: Call) -> Message:
        known = set(self._coordinator.names())
        groups = []
        for name in request["groups"]:
            group = self._coordinator.get(name)
            if group is not None:
                groups.append(_described(group))
            elif name in known:
                groups.append(_without_members(name, GroupState.EMPTY.value, ErrorCode.none))
            else:
                told = call.version >= _FIRST_THAT_KNOWS_NOT_FOUND
                groups.append(_without_members(name, _DEAD, ErrorCode.group_id_not_found if told else ErrorCode.none))
        return {"groups": groups}

    def _delete(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        results = [
            {"group_id": name, "error_code": self._coordinator.delete(name)}
            for name in dict.fromkeys(request["groups_names"])
        ]
        return {"results": results}


def _without_members(name: str, state: str, code: ErrorCode) -> Message:
    return {
        "error_code": code,
        "error_message": "the group does not exist" if code is not ErrorCode.none else None,
        "group_id": name,
        "group_state": state,
        "protocol_type": "",
        "protocol_data": "",
        "members": (),
        "authorized_operations": _NO_OPERATIONS,
    }


def _described(group: Group) -> Message:
    settled = group.state is GroupState.STABLE
    members = [
        {
            "member_id": member.id,
            "group_instance_id": member.instance_id,
            "client_id": member.client_id,
            "client_host": member.host,
            "member_metadata": member.protocols.get(group.protocol or "", b"") if settled else b"",
            "member_assignment": member.assignment if settled else b"",
        }
        for member in group.members.values()
    ]
    return _without_members(group.id, group.state.value, ErrorCode.none) | {
        "protocol_type": group.protocol_type,
        "protocol_data": (group.protocol or "") if settled else "",
        "members": members,
    }
