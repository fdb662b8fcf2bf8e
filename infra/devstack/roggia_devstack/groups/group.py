"""One consumer group: the classic rebalance protocol as a state machine.

Behaviour follows the protocol's public description: members join, the first is leader and assigns, all sync, then
heartbeats; whoever is silent for a session is out. Every method is called on the event loop and none of them blocks:
answers that must wait are futures.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from kio.schema.errors import ErrorCode

from roggia_devstack.groups.model import GroupState, Join, Joined, Member, Synced

_T = TypeVar("_T")
_LONGEST_PREFIX: Final = 255


class Group:
    """Members and generation of one group. `save` is called whenever what must survive a restart has changed."""

    def __init__(self, group_id: str, save: Callable[[Group], None], initial_delay_ms: int = 0) -> None:
        self.id = group_id
        self.state = GroupState.EMPTY
        self.generation = 0
        self.protocol_type = ""
        self.protocol: str | None = None
        self.leader = ""
        self.members: dict[str, Member] = {}
        self._save = save
        self._initial_delay_ms = initial_delay_ms
        self._promised: dict[str, asyncio.TimerHandle] = {}
        self._timer: asyncio.TimerHandle | None = None

    # ---- joining

    def join(self, ask: Join) -> Joined | asyncio.Future[Joined]:
        """A member joins, or joins again."""
        if not self._speaks_with_all(ask):
            return Joined(ErrorCode.inconsistent_group_protocol, ask.member_id)
        if ask.member_id == "":
            return self._join_unknown(ask)
        if ask.member_id in self._promised:
            self._promised.pop(ask.member_id).cancel()
            return self._add(ask, ask.member_id)
        error = self.check_member(ask.member_id, ask.instance_id)
        if error is not ErrorCode.none:
            return Joined(error, ask.member_id)
        return self._rejoin(self.members[ask.member_id], ask)

    def _speaks_with_all(self, ask: Join) -> bool:
        if not ask.protocols or not ask.protocol_type:
            return False
        others = [member for member in self.members.values() if member.id != ask.member_id]
        if not others:
            return True
        common = set(ask.protocols).intersection(*(member.protocols for member in others))
        return ask.protocol_type == self.protocol_type and bool(common)

    def _join_unknown(self, ask: Join) -> Joined | asyncio.Future[Joined]:
        member_id = f"{(ask.instance_id or ask.client_id)[:_LONGEST_PREFIX]}-{secrets.token_hex(16)}"
        if ask.instance_id is not None:
            known = self._static(ask.instance_id)
            return self._add(ask, member_id) if known is None else self._replace(known, ask, member_id)
        if not ask.needs_id:
            return self._add(ask, member_id)
        self._promised[member_id] = _later(ask.session_timeout_ms, self._break_promise, member_id)
        return Joined(ErrorCode.member_id_required, member_id)

    def _break_promise(self, member_id: str) -> None:
        self._promised.pop(member_id, None)
        self._complete_if_all_joined()

    def _add(self, ask: Join, member_id: str) -> asyncio.Future[Joined]:
        member = Member(
            member_id,
            ask.instance_id,
            ask.client_id,
            ask.host,
            ask.session_timeout_ms,
            ask.rebalance_timeout_ms,
            ask.protocols,
        )
        self.members[member_id] = member
        self.protocol_type = ask.protocol_type
        if self.leader not in self.members:
            self.leader = member_id
        return self._wait_to_join(member)

    def _wait_to_join(self, member: Member) -> asyncio.Future[Joined]:
        if member.joining is not None:
            member.joining.cancel()
        future = member.joining = asyncio.get_running_loop().create_future()
        self.touch(member)
        self._prepare()
        return future

    def _rejoin(self, member: Member, ask: Join) -> Joined | asyncio.Future[Joined]:
        same = dict(member.protocols) == dict(ask.protocols)
        settled = self.state is GroupState.COMPLETING or (self.state is GroupState.STABLE and member.id != self.leader)
        if same and settled:
            self.touch(member)
            return self._joined(member)
        member.protocols = ask.protocols
        member.session_timeout_ms = ask.session_timeout_ms
        member.rebalance_timeout_ms = ask.rebalance_timeout_ms
        return self._wait_to_join(member)

    def _replace(self, old: Member, ask: Join, member_id: str) -> Joined | asyncio.Future[Joined]:
        """A static member came back under a new id: the old id is fenced, and a stable group stays as it is."""
        _answer(old.joining, Joined(ErrorCode.fenced_instance_id, old.id))
        _answer(old.syncing, Synced(ErrorCode.fenced_instance_id))
        if old.session is not None:
            old.session.cancel()
        del self.members[old.id]
        was_leader = self.leader == old.id
        same = dict(old.protocols) == dict(ask.protocols)
        future = None if self.state is GroupState.STABLE and same else self._add(ask, member_id)
        if future is not None:
            return future
        member = Member(
            member_id,
            old.instance_id,
            ask.client_id,
            ask.host,
            ask.session_timeout_ms,
            ask.rebalance_timeout_ms,
            ask.protocols,
            old.assignment,
        )
        self.members[member_id] = member
        if was_leader:
            self.leader = member_id
        self.touch(member)
        self._save(self)
        return self._joined(member, skip_assignment=was_leader, shown_leader=not was_leader or ask.skips_assignment)

    # ---- rebalancing

    def _prepare(self) -> None:
        if self.state is not GroupState.PREPARING:
            first = self.state is GroupState.EMPTY
            for member in self.members.values():
                member.assignment = b""
                _answer(member.syncing, Synced(ErrorCode.rebalance_in_progress))
                member.syncing = None
            self.state = GroupState.PREPARING
            if first and self._initial_delay_ms:
                self._arm(self._initial_delay_ms, self._complete)
                return
            self._arm(self._longest_rebalance_ms(), self._complete)
        elif self._initial_delay_ms and self.protocol is None:
            return
        self._complete_if_all_joined()

    def _longest_rebalance_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def _complete_if_all_joined(self) -> None:
        if self.state is not GroupState.PREPARING or self._promised:
            return
        if all(member.has_joined for member in self.members.values()):
            self._complete()

    def _complete(self) -> None:
        for member in [member for member in self.members.values() if not member.has_joined]:
            if member.instance_id is None:
                self._forget(member)
        joined = [member for member in self.members.values() if member.has_joined]
        if not joined and self.members:
            self._arm(self._longest_rebalance_ms(), self._complete)
            return
        self.generation += 1
        if not joined:
            self._become_empty()
            return
        if self.leader not in {member.id for member in joined}:
            self.leader = joined[0].id
        self.protocol = self._vote()
        self.state = GroupState.COMPLETING
        self._arm(self._longest_rebalance_ms(), self._expel_unsynced)
        self._save(self)
        for member in joined:
            self.touch(member)
            _answer(member.joining, self._joined(member))
            member.joining = None

    def _become_empty(self) -> None:
        self.state = GroupState.EMPTY
        self.protocol = None
        self.leader = ""
        self._disarm()
        self._save(self)

    def _vote(self) -> str:
        common = set.intersection(*(set(member.protocols) for member in self.members.values()))
        votes = Counter(next(name for name in member.protocols if name in common) for member in self.members.values())
        return votes.most_common(1)[0][0]

    def _joined(self, member: Member, *, skip_assignment: bool = False, shown_leader: bool = True) -> Joined:
        protocol = self.protocol or ""
        leads = member.id == self.leader and shown_leader
        listed = tuple(
            (other.id, other.instance_id, other.protocols.get(protocol, b"")) for other in self.members.values()
        )
        return Joined(
            ErrorCode.none,
            member.id,
            self.generation,
            self.protocol_type,
            protocol,
            self.leader if shown_leader else "",
            skip_assignment and leads,
            listed if leads else (),
        )

    # ---- assignments

    def sync(
        self, member_id: str, generation: int, assignments: Mapping[str, bytes]
    ) -> Synced | asyncio.Future[Synced]:
        """A member asks for its assignment; the leader brings everybody's. Its identity has been checked."""
        member = self.members[member_id]
        if generation != self.generation:
            return Synced(ErrorCode.illegal_generation)
        if self.state is GroupState.PREPARING:
            return Synced(ErrorCode.rebalance_in_progress)
        self.touch(member)
        if self.state is GroupState.STABLE:
            return self._synced(member)
        if member_id == self.leader:
            self._assign(assignments)
            return self._synced(member)
        if member.syncing is not None:
            member.syncing.cancel()
        member.syncing = asyncio.get_running_loop().create_future()
        return member.syncing

    def _assign(self, assignments: Mapping[str, bytes]) -> None:
        self._disarm()
        self.state = GroupState.STABLE
        for member in self.members.values():
            member.assignment = assignments.get(member.id, b"")
        self._save(self)
        waiting = [member for member in self.members.values() if member.syncing is not None]
        for member in waiting:
            self.touch(member)
            _answer(member.syncing, self._synced(member))
            member.syncing = None

    def _synced(self, member: Member) -> Synced:
        return Synced(ErrorCode.none, member.assignment, self.protocol_type, self.protocol)

    def _expel_unsynced(self) -> None:
        """The rebalance timeout passed and the leader brought no assignment: whoever is not waiting for it is out."""
        for member in [member for member in self.members.values() if member.syncing is None]:
            self._forget(member)
        self._prepare()

    # ---- staying and leaving

    def heartbeat(self, member_id: str, generation: int) -> ErrorCode:
        """A sign of life. The member's identity has been checked."""
        if generation != self.generation:
            return ErrorCode.illegal_generation
        self.touch(self.members[member_id])
        return ErrorCode.rebalance_in_progress if self.state is GroupState.PREPARING else ErrorCode.none

    def leave(self, member_id: str, instance_id: str | None) -> ErrorCode:
        """A member goes by itself, or an operator removes a static one (with an empty member id)."""
        if instance_id is not None and member_id == "":
            static = self._static(instance_id)
            member_id = "" if static is None else static.id
        if member_id in self._promised:
            self._promised.pop(member_id).cancel()
            self._complete_if_all_joined()
            return ErrorCode.none
        error = self.check_member(member_id, instance_id)
        if error is ErrorCode.none:
            self._expel(self.members[member_id])
        return error

    def check_member(self, member_id: str, instance_id: str | None) -> ErrorCode:
        """Whether a request comes from somebody who is in the group."""
        if instance_id is not None:
            static = self._static(instance_id)
            if static is None:
                return ErrorCode.unknown_member_id
            if static.id != member_id:
                return ErrorCode.fenced_instance_id
        return ErrorCode.none if member_id in self.members else ErrorCode.unknown_member_id

    def touch(self, member: Member) -> None:
        """The member is alive: its session begins anew."""
        if member.session is not None:
            member.session.cancel()
        member.session = _later(member.session_timeout_ms, self._session_over, member)

    def stop(self) -> None:
        """Let go of every timer; the broker is going down or the group was deleted."""
        self._disarm()
        for timer in self._promised.values():
            timer.cancel()
        for member in self.members.values():
            if member.session is not None:
                member.session.cancel()

    def _static(self, instance_id: str) -> Member | None:
        return next((member for member in self.members.values() if member.instance_id == instance_id), None)

    def _session_over(self, member: Member) -> None:
        if member.waits:
            self.touch(member)
        elif self.members.get(member.id) is member:
            self._expel(member)

    def _expel(self, member: Member) -> None:
        self._forget(member)
        if self.state is GroupState.PREPARING:
            self._complete_if_all_joined()
        else:
            self._prepare()

    def _forget(self, member: Member) -> None:
        del self.members[member.id]
        if member.session is not None:
            member.session.cancel()
        _answer(member.joining, Joined(ErrorCode.unknown_member_id, member.id))
        _answer(member.syncing, Synced(ErrorCode.unknown_member_id))
        if self.leader == member.id:
            self.leader = next(iter(self.members), "")

    def _arm(self, delay_ms: int, then: Callable[[], None]) -> None:
        self._disarm()
        self._timer = _later(delay_ms, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _later(delay_ms: int, call: Callable[..., None], *args: object) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(delay_ms / 1000, call, *args)


def _answer(future: asyncio.Future[_T] | None, answer: _T) -> None:
    if future is not None and not future.done():
        future.set_result(answer)
