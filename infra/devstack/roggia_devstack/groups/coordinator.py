"""All groups of the broker: found by name, restored at start, removed on request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from kio.schema.errors import ErrorCode

from roggia_devstack.groups.group import Group
from roggia_devstack.groups.model import GroupState, Join, Joined, Member, Synced
from roggia_devstack.groups.offsets import Offsets
from roggia_devstack.storage import StateStore

KIND: Final = "group"
SIMPLE: Final = -1
"""The generation that a client names which commits without being a member."""


class GroupCoordinator:
    """Every group of this one-broker cluster is coordinated here. Session limits are in milliseconds."""

    def __init__(
        self, state: StateStore, offsets: Offsets, *, min_session_ms: int, max_session_ms: int, initial_delay_ms: int
    ) -> None:
        self._state = state
        self._offsets = offsets
        self._sessions = range(min_session_ms, max_session_ms + 1)
        self._initial_delay_ms = initial_delay_ms
        self._groups: dict[str, Group] = {}

    def start(self) -> None:
        """Restore groups as they were; their members have one session to be heard of again. Needs the event loop."""
        for group_id, value in self._state.items(KIND).items():
            group = self._new(group_id)
            group.generation = value["generation"]
            group.protocol_type = value["protocol_type"]
            group.protocol = value["protocol"]
            group.leader = value["leader"]
            group.members = {member.id: member for member in map(Member.from_value, value["members"])}
            group.state = GroupState.STABLE if group.members else GroupState.EMPTY
            for member in group.members.values():
                group.touch(member)

    def stop(self) -> None:
        """Drop every timer."""
        for group in self._groups.values():
            group.stop()

    def join(self, group_id: str, ask: Join) -> Joined | asyncio.Future[Joined]:
        """See `Group.join`; makes the group when it is new."""
        if not group_id:
            return Joined(ErrorCode.invalid_group_id, ask.member_id)
        if ask.session_timeout_ms not in self._sessions:
            return Joined(ErrorCode.invalid_session_timeout, ask.member_id)
        group = self._groups.get(group_id)
        if group is None:
            if ask.member_id:
                return Joined(ErrorCode.unknown_member_id, ask.member_id)
            group = self._new(group_id)
        return group.join(ask)

    def sync(
        self,
        group_id: str,
        member_id: str,
        instance_id: str | None,
        generation: int,
        assignments: dict[str, bytes],
        protocol: tuple[str | None, str | None] = (None, None),
    ) -> Synced | asyncio.Future[Synced]:
        """See `Group.sync`; `protocol` is the type and the name that the member believes in, where it says so."""
        group, error = self._checked(group_id, member_id, instance_id)
        if group is None:
            return Synced(error)
        agreed = zip(protocol, (group.protocol_type, group.protocol), strict=True)
        if generation == group.generation and any(said is not None and said != known for said, known in agreed):
            return Synced(ErrorCode.inconsistent_group_protocol)
        return group.sync(member_id, generation, assignments)

    def heartbeat(self, group_id: str, member_id: str, instance_id: str | None, generation: int) -> ErrorCode:
        """See `Group.heartbeat`."""
        group, error = self._checked(group_id, member_id, instance_id)
        return error if group is None else group.heartbeat(member_id, generation)

    def leave(self, group_id: str, member_id: str, instance_id: str | None) -> ErrorCode:
        """See `Group.leave`."""
        group = self._groups.get(group_id)
        return ErrorCode.unknown_member_id if group is None else group.leave(member_id, instance_id)

    def may_commit(self, group_id: str, member_id: str, instance_id: str | None, generation: int) -> ErrorCode:
        """Whether offsets may be committed: by a member of the generation, or by anybody if there are none."""
        group = self._groups.get(group_id)
        if generation < 0 and (group is None or not group.members):
            return ErrorCode.none
        if group is None:
            return ErrorCode.group_id_not_found
        error = group.check_member(member_id, instance_id)
        if error is not ErrorCode.none:
            return error
        if generation != group.generation:
            return ErrorCode.illegal_generation
        if group.state is GroupState.COMPLETING:
            return ErrorCode.rebalance_in_progress
        group.touch(group.members[member_id])
        return ErrorCode.none

    def may_commit_in_transaction(
        self, group_id: str, member_id: str, instance_id: str | None, generation: int
    ) -> ErrorCode:
        """The same for a transaction's offsets; producers that name no member (all old ones) are let through."""
        if generation < 0 and not member_id and instance_id is None:
            return ErrorCode.none
        if group_id not in self._groups and generation >= 0:
            return ErrorCode.illegal_generation
        group, error = self._checked(group_id, member_id, instance_id)
        if group is None:
            return error
        return ErrorCode.none if generation in {SIMPLE, group.generation} else ErrorCode.illegal_generation

    def get(self, group_id: str) -> Group | None:
        """A group that has, or had, members."""
        return self._groups.get(group_id)

    def names(self) -> Iterable[str]:
        """Every group that has, or had, members or offsets."""
        return sorted({*self._groups, *self._offsets.groups()})

    def delete(self, group_id: str) -> ErrorCode:
        """Forget an empty group and its offsets."""
        group = self._groups.get(group_id)
        if group is None and group_id not in self._offsets.groups():
            return ErrorCode.group_id_not_found
        if group is not None and group.state is not GroupState.EMPTY:
            return ErrorCode.non_empty_group
        if group is not None:
            group.stop()
            del self._groups[group_id]
            self._state.delete(KIND, group_id)
        self._offsets.forget(group_id)
        return ErrorCode.none

    def _new(self, group_id: str) -> Group:
        group = self._groups[group_id] = Group(group_id, self._save, self._initial_delay_ms)
        return group

    def _checked(self, group_id: str, member_id: str, instance_id: str | None) -> tuple[Group | None, ErrorCode]:
        if not group_id:
            return None, ErrorCode.invalid_group_id
        group = self._groups.get(group_id)
        if group is None:
            return None, ErrorCode.unknown_member_id
        error = group.check_member(member_id, instance_id)
        return (group, error) if error is ErrorCode.none else (None, error)

    def _save(self, group: Group) -> None:
        """Keep the generation, which must never come twice, and the members once all of them have their assignment."""
        settled = group.members.values() if group.state is GroupState.STABLE else ()
        value: dict[str, Any] = {
            "generation": group.generation,
            "protocol_type": group.protocol_type,
            "protocol": group.protocol,
            "leader": group.leader,
            "members": [member.as_value() for member in settled],
        }
        self._state.put(KIND, group.id, value)
