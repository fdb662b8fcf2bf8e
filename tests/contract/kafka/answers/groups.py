"""What a broker answers to groups: members, commits, listings, deletions."""

from __future__ import annotations

from typing import Any

from roggia_devstack.wire import apis
from roggia_devstack.wire.apis import Api

from tests.contract.kafka.answers.asking import GROUP, Ask, Asker, Behaviours, named, subscription

_MEMBER = {"protocol_type": "consumer", "protocols": [{"name": "range", "metadata": subscription(["t"])}]}


def _joining(*, version: int | None = None, group: str | None = None, **changes: Any) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        request = {"session_timeout": 10_000, "rebalance_timeout": 10_000, "member_id": "", **_MEMBER, **changes}
        name = asker.name("g") if group is None else group
        answer = await asker.patiently(
            apis.JOIN_GROUP, lambda found: int(found["error_code"]), version, group_id=name, **request
        )
        return named(answer["error_code"])

    return ask


async def _join_other_protocol(asker: Asker) -> str:
    await asker.coordinator(GROUP)
    group = asker.name("g")
    await asker.member(group)
    request = {"protocol_type": "consumer", "protocols": [{"name": "other", "metadata": b""}]}
    return await _joining(group=group, **request)(asker)


async def _join_other_type(asker: Asker) -> str:
    await asker.coordinator(GROUP)
    group = asker.name("g")
    await asker.member(group)
    request = {"protocol_type": "connect", "protocols": [{"name": "range", "metadata": b""}]}
    return await _joining(group=group, **request)(asker)


def _heartbeat(*, member: bool, generation: int = 0, other: str | None = None) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        group = asker.name("g")
        mine, current = await asker.member(group) if member else ("nobody", 1)
        answer = await asker.ask(
            apis.HEARTBEAT, group_id=group, generation_id=current + generation, member_id=other or mine
        )
        return named(answer["error_code"])

    return ask


def _syncing(*, member: bool, generation: int = 0, protocol: str = "range") -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        group = asker.name("g")
        mine, current = await asker.member(group) if member else ("nobody", 1)
        answer = await asker.ask(
            apis.SYNC_GROUP, group_id=group, generation_id=current + generation, member_id=mine,
            protocol_type="consumer", protocol_name=protocol, assignments=[],
        )  # fmt: skip
        return named(answer["error_code"])

    return ask


def _leaving(*, member: bool) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        group = asker.name("g")
        if member:
            await asker.member(group)
        answer = await asker.ask(
            apis.LEAVE_GROUP, group_id=group, members=[{"member_id": "nobody", "group_instance_id": None}]
        )
        return ", ".join([named(answer["error_code"]), *(named(one["error_code"]) for one in answer["members"])])

    return ask


async def _member_leaves(asker: Asker) -> str:
    await asker.coordinator(GROUP)
    group = asker.name("g")
    mine, _ = await asker.member(group)
    answer = await asker.ask(apis.LEAVE_GROUP, group_id=group, members=[{"member_id": mine, "group_instance_id": None}])
    left = named(answer["members"][0]["error_code"])
    return f"{left}; then {await _state(asker, group)}"


async def _state(asker: Asker, group: str, version: int | None = None) -> str:
    answer = await asker.ask(
        apis.DESCRIBE_GROUPS, version, groups=[group], include_authorized_operations=False
    )  # fmt: skip
    found = answer["groups"][0]
    return f"{named(found['error_code'])}, {found['group_state']}, type {found['protocol_type'] or 'none'}"


def _committing(*, unknown: bool = False, group: str | None = None, **changes: Any) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        topic = asker.name("unknown") if unknown else await asker.topic()
        return await asker.commit(asker.name("g") if group is None else group, topic, **changes)

    return ask


def _committing_as_member(generation: int, *, mine: bool = True) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        topic, group = await asker.topic(), asker.name("g")
        member, current = await asker.member(group, [topic])
        who = {"member_id": member if mine else "nobody", "generation_id_or_member_epoch": current + generation}
        return await asker.commit(group, topic, **who)

    return ask


async def _commit_beside_members(asker: Asker) -> str:
    await asker.coordinator(GROUP)
    topic, group = await asker.topic(), asker.name("g")
    await asker.member(group, [topic])
    return await asker.commit(group, topic)


async def _commit_to_other_type(asker: Asker) -> str:
    await asker.coordinator(GROUP)
    topic, group = await asker.topic(), asker.name("g")
    said = await asker.commit(group, topic, offset=4)
    return f"{said}; then {await _state(asker, group)}; committed {await asker.committed(group, topic)}"


async def _fetch_unknown(asker: Asker) -> str:
    await asker.coordinator(GROUP)
    topic = await asker.topic()
    return f"committed {await asker.committed(asker.name('g'), topic)}"


def _deleting(*, commits: bool = False, members: bool = False, twice: bool = False, group: str | None = None) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        name = asker.name("g") if group is None else group
        if commits:
            await asker.commit(name, await asker.topic())
        if members:
            await asker.member(name)

        def code(answer: Any) -> int:
            return int(answer["results"][0]["error_code"])

        answer = await asker.patiently(apis.DELETE_GROUPS, code, groups_names=[name] * (2 if twice else 1))
        return ", ".join(named(one["error_code"]) for one in answer["results"])

    return ask


def _deleting_offset(
    *, commits: bool = True, members: str | None = None, leaves: bool = False, partition: int = 0, unknown: bool = False
) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        topic, group = await asker.topic(), asker.name("g")
        if commits:
            await asker.commit(group, topic, offset=5)
        if members is not None:
            mine, _ = await asker.member(group, [topic if members == "it" else asker.name("other")])
            if leaves:
                gone = [{"member_id": mine, "group_instance_id": None}]
                await asker.ask(apis.LEAVE_GROUP, group_id=group, members=gone)
        name = asker.name("unknown") if unknown else topic
        answer = await asker.ask(
            apis.OFFSET_DELETE,
            group_id=group,
            topics=[{"name": name, "partitions": [{"partition_index": partition}]}],
        )
        codes = [named(part["error_code"]) for found in answer["topics"] for part in found["partitions"]]
        left = await asker.committed(group, topic)
        return f"{', '.join([named(answer['error_code']), *codes])}; committed {left}"

    return ask


def _describing(version: int, *, kind: str) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        group = "" if kind == "empty" else asker.name("g")
        if kind == "simple":
            await asker.commit(group, await asker.topic())
        if kind == "member":
            await asker.member(group)
        return await _state(asker, group, version)

    return ask


def _listing(states: list[str], types: list[str]) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        simple, busy = asker.name("simple"), asker.name("busy")
        await asker.commit(simple, await asker.topic())
        await asker.member(busy)
        answer = await asker.ask(apis.LIST_GROUPS, states_filter=states, types_filter=types)
        mine = {simple: "simple", busy: "busy"}
        found = [
            f"{mine[one['group_id']]} {one['group_state']} {one['group_type']} {one['protocol_type'] or 'none'}"
            for one in answer["groups"]
            if one["group_id"] in mine
        ]
        return f"{named(answer['error_code'])}: {', '.join(sorted(found)) or 'nothing'}"

    return ask


def _finding(key_type: int, key: str = "x") -> Ask:
    async def ask(asker: Asker) -> str:
        answer = await asker.patiently(
            apis.FIND_COORDINATOR,
            lambda found: int(found["coordinators"][0]["error_code"]),
            key_type=key_type,
            coordinator_keys=[key],
        )
        return named(answer["coordinators"][0]["error_code"])

    return ask


def _empty_group(api: Api, **request: Any) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(GROUP)
        return named((await asker.ask(api, group_id="", **request))["error_code"])

    return ask


BEHAVIOURS: Behaviours = {
    "JoinGroup: a new member is told its id first": _joining(),
    "JoinGroup: an empty group id": _joining(group=""),
    "JoinGroup: a session too short": _joining(session_timeout=1),
    "JoinGroup: a session too long": _joining(session_timeout=2**31 - 1),
    "JoinGroup: no protocol": _joining(protocols=[]),
    "JoinGroup: no protocol type": _joining(protocol_type=""),
    "JoinGroup: an unknown member": _joining(member_id="nobody"),
    "JoinGroup: no protocol in common": _join_other_protocol,
    "JoinGroup: another protocol type": _join_other_type,
    "SyncGroup: an unknown group": _syncing(member=False),
    "SyncGroup: another generation": _syncing(member=True, generation=1),
    "SyncGroup: another protocol": _syncing(member=True, protocol="other"),
    "SyncGroup: an empty group id": _empty_group(
        apis.SYNC_GROUP, generation_id=1, member_id="x", protocol_type="c", protocol_name="r", assignments=[]
    ),
    "Heartbeat: a member": _heartbeat(member=True),
    "Heartbeat: an unknown group": _heartbeat(member=False),
    "Heartbeat: an unknown member": _heartbeat(member=True, other="nobody"),
    "Heartbeat: another generation": _heartbeat(member=True, generation=1),
    "Heartbeat: an empty group id": _empty_group(apis.HEARTBEAT, generation_id=1, member_id="x"),
    "LeaveGroup: a member": _member_leaves,
    "LeaveGroup: an unknown group": _leaving(member=False),
    "LeaveGroup: an unknown member": _leaving(member=True),
    "OffsetCommit: without being a member": _commit_to_other_type,
    "OffsetCommit: an unknown topic": _committing(unknown=True),
    "OffsetCommit: an unknown partition": _committing(partition=7),
    "OffsetCommit: a negative offset": _committing(offset=-5),
    "OffsetCommit: an offset beyond the end": _committing(offset=10**9),
    "OffsetCommit: a note of 4,096 characters": _committing(committed_metadata="m" * 4096),
    "OffsetCommit: a note of 4,097 characters": _committing(committed_metadata="m" * 4097),
    "OffsetCommit: an empty group id": _committing(group=""),
    "OffsetCommit: a group id that climbs out of a folder": _committing(group="../../../../tmp/x"),
    "OffsetCommit: a generation of a group that there is not": _committing(
        generation_id_or_member_epoch=3, member_id="nobody"
    ),
    "OffsetCommit: by a member": _committing_as_member(0),
    "OffsetCommit: by a member of a past generation": _committing_as_member(-1),
    "OffsetCommit: by somebody else": _committing_as_member(0, mine=False),
    "OffsetCommit: beside the members": _commit_beside_members,
    "OffsetFetch: an unknown group": _fetch_unknown,
    "OffsetDelete: of a group without members": _deleting_offset(),
    "OffsetDelete: an unknown group": _deleting_offset(commits=False),
    "OffsetDelete: a topic that members read": _deleting_offset(members="it"),
    "OffsetDelete: a topic that members do not read": _deleting_offset(members="another"),
    "OffsetDelete: after the members left": _deleting_offset(members="it", leaves=True),
    "OffsetDelete: a partition without offset": _deleting_offset(partition=3),
    "OffsetDelete: an unknown topic": _deleting_offset(unknown=True),
    "DeleteGroups: without members": _deleting(commits=True),
    "DeleteGroups: with members": _deleting(members=True),
    "DeleteGroups: an unknown group": _deleting(),
    "DeleteGroups: an empty group id, after a commit": _deleting(commits=True, group=""),
    "DeleteGroups: one request names a group twice": _deleting(commits=True, twice=True),
    "DescribeGroups: with a member": _describing(6, kind="member"),
    "DescribeGroups: offsets alone": _describing(6, kind="simple"),
    "DescribeGroups: an unknown group": _describing(6, kind="none"),
    "DescribeGroups: an unknown group, version 5": _describing(5, kind="none"),
    "DescribeGroups: an empty group id": _describing(6, kind="empty"),
    "ListGroups: all": _listing([], []),
    "ListGroups: by state": _listing(["Stable"], []),
    "ListGroups: by state in small letters": _listing(["empty"], []),
    "ListGroups: by a state that there is not": _listing(["Sleeping"], []),
    "ListGroups: by type": _listing([], ["classic"]),
    "ListGroups: by another type": _listing([], ["consumer"]),
    "ListGroups: by a type that there is not": _listing([], ["club"]),
    "FindCoordinator: of a group": _finding(0),
    "FindCoordinator: of a transaction": _finding(1),
    "FindCoordinator: an empty key": _finding(0, ""),
    "FindCoordinator: a kind that there is not": _finding(9),
}
