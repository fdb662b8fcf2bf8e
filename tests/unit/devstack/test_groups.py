"""The classic group protocol, member by member."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kio.schema.errors import ErrorCode
from roggia_devstack.groups.coordinator import GroupCoordinator
from roggia_devstack.groups.model import Join, Joined, Synced
from roggia_devstack.groups.offsets import Committed, Offsets
from roggia_devstack.storage import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty data directory."""
    store = Store.open(tmp_path / "data")
    yield store
    store.close()


def coordinator(store: Store, **settings: int) -> GroupCoordinator:
    """A coordinator on what `store` holds, with sessions from 10 ms up."""
    values = {"min_session_ms": 10, "max_session_ms": 60_000, "initial_delay_ms": 0, **settings}
    made = GroupCoordinator(store.state, Offsets(store.state), **values)
    made.start()
    return made


def ask(member_id: str = "", **changes: Any) -> Join:
    """A request to join, as an old client makes it (its id is given at once)."""
    values: dict[str, Any] = {
        "member_id": member_id,
        "instance_id": None,
        "client_id": "c",
        "host": "/127.0.0.1",
        "session_timeout_ms": 5_000,
        "rebalance_timeout_ms": 5_000,
        "protocol_type": "consumer",
        "protocols": {"range": b"topics"},
        "needs_id": False,
        "skips_assignment": False,
    }
    return Join(**{**values, **changes})


async def joined(groups: GroupCoordinator, request: Join) -> Joined:
    """Join and wait for the answer."""
    answer = groups.join("g", request)
    return answer if isinstance(answer, Joined) else await answer


async def synced(groups: GroupCoordinator, member: Joined, **assignments: bytes) -> Synced:
    """Sync and wait for the answer."""
    answer = groups.sync("g", member.member_id, None, member.generation, assignments)
    return answer if isinstance(answer, Synced) else await answer


async def stable_pair(groups: GroupCoordinator, **changes: Any) -> tuple[Joined, Joined]:
    """A group with a leader and a follower, both with their assignments."""
    first = await joined(groups, ask(**changes))
    second_join = asyncio.ensure_future(joined(groups, ask(**changes)))
    await asyncio.sleep(0)
    leader = await joined(groups, ask(first.member_id, **changes))
    follower = await second_join
    follower_sync = asyncio.ensure_future(synced(groups, follower))
    await asyncio.sleep(0)
    own = await synced(groups, leader, **{leader.member_id: b"one", follower.member_id: b"two"})
    assert (own.assignment, (await follower_sync).assignment) == (b"one", b"two")
    return leader, follower


async def test_the_first_member_leads_and_sees_all(store: Store) -> None:
    """The leader is told every member and its metadata, a follower nobody; both get one generation and protocol."""
    leader, follower = await stable_pair(coordinator(store))
    assert {member for member, _, _ in leader.members} == {leader.member_id, follower.member_id}
    assert follower.members == ()
    assert (leader.generation, leader.protocol, leader.leader) == (2, "range", leader.member_id)
    assert (follower.generation, follower.protocol, follower.leader) == (2, "range", leader.member_id)


async def test_new_clients_must_ask_with_the_id_they_were_given(store: Store) -> None:
    """A client that knows the second step is given an id first, and becomes a member only with it."""
    groups = coordinator(store)
    first = await joined(groups, ask(needs_id=True))
    assert first.error is ErrorCode.member_id_required
    assert groups.heartbeat("g", first.member_id, None, 0) is ErrorCode.unknown_member_id
    second = await joined(groups, ask(first.member_id, needs_id=True))
    assert (second.error, second.member_id) == (ErrorCode.none, first.member_id)


async def test_an_invented_member_id_is_unknown(store: Store) -> None:
    """Nobody joins under an id that the coordinator did not give."""
    groups = coordinator(store)
    assert (await joined(groups, ask("invented"))).error is ErrorCode.unknown_member_id
    await joined(groups, ask())
    assert (await joined(groups, ask("invented"))).error is ErrorCode.unknown_member_id


@pytest.mark.parametrize("timeout_ms", [9, 60_001, -1])
async def test_session_timeouts_have_limits(store: Store, timeout_ms: int) -> None:
    """A session outside the configured limits is refused."""
    answer = await joined(coordinator(store), ask(session_timeout_ms=timeout_ms))
    assert answer.error is ErrorCode.invalid_session_timeout


async def test_a_member_without_common_protocol_is_refused(store: Store) -> None:
    """Every member of a group must share an assignment strategy with all others."""
    groups = coordinator(store)
    await joined(groups, ask())
    assert (await joined(groups, ask(protocols={"sticky": b""}))).error is ErrorCode.inconsistent_group_protocol
    assert (await joined(groups, ask(protocol_type="connect"))).error is ErrorCode.inconsistent_group_protocol
    assert (await joined(groups, ask(protocols={}))).error is ErrorCode.inconsistent_group_protocol


async def test_the_strategy_is_one_that_all_know(store: Store) -> None:
    """The group takes the strategy that most members prefer among those that all of them know."""
    groups = coordinator(store)
    first = await joined(groups, ask(protocols={"sticky": b"s", "range": b"r"}))
    second = asyncio.ensure_future(joined(groups, ask(protocols={"range": b"r"})))
    await asyncio.sleep(0)
    assert (await joined(groups, ask(first.member_id, protocols={"sticky": b"s", "range": b"r"}))).protocol == "range"
    assert (await second).protocol == "range"


async def test_heartbeats_tell_of_a_rebalance(store: Store) -> None:
    """While a new member waits to join, the others are told to join again; a past generation is illegal."""
    groups = coordinator(store)
    leader, follower = await stable_pair(groups)
    assert groups.heartbeat("g", leader.member_id, None, leader.generation) is ErrorCode.none
    assert groups.heartbeat("g", leader.member_id, None, leader.generation - 1) is ErrorCode.illegal_generation
    third = groups.join("g", ask())
    assert groups.heartbeat("g", leader.member_id, None, leader.generation) is ErrorCode.rebalance_in_progress
    assert (await synced(groups, follower)).error is ErrorCode.rebalance_in_progress
    assert isinstance(third, asyncio.Future)
    assert not third.done()


async def test_who_does_not_join_again_in_time_is_out(store: Store) -> None:
    """After the rebalance timeout the generation starts without the members that did not come."""
    groups = coordinator(store)
    leader, follower = await stable_pair(groups, rebalance_timeout_ms=40)
    newcomer = await joined(groups, ask(rebalance_timeout_ms=40))
    assert newcomer.generation == leader.generation + 1
    assert [member for member, _, _ in newcomer.members] == [newcomer.member_id]
    for gone in (leader, follower):
        assert groups.heartbeat("g", gone.member_id, None, newcomer.generation) is ErrorCode.unknown_member_id


async def test_a_silent_member_loses_its_session(store: Store) -> None:
    """A member without heartbeats is removed after its session, and the others rebalance."""
    groups = coordinator(store)
    leader, follower = await stable_pair(groups, session_timeout_ms=60)
    for _ in range(8):
        await asyncio.sleep(0.015)
        heard = groups.heartbeat("g", leader.member_id, None, leader.generation)
    assert heard is ErrorCode.rebalance_in_progress
    assert groups.heartbeat("g", follower.member_id, None, follower.generation) is ErrorCode.unknown_member_id
    assert (await joined(groups, ask(leader.member_id))).generation == leader.generation + 1


async def test_a_member_whose_connection_broke_while_joining_does_not_hold_up_the_others(store: Store) -> None:
    """Its request is gone with the connection; once its session is over the group goes on without it."""
    groups = coordinator(store)
    leader, _ = await stable_pair(groups)
    lost = groups.join("g", ask(session_timeout_ms=30))
    assert isinstance(lost, asyncio.Future)
    lost.cancel()
    others = [asyncio.ensure_future(joined(groups, ask(member))) for member, _, _ in leader.members]
    async with asyncio.timeout(2):
        generations = {answer.generation for answer in await asyncio.gather(*others)}
    assert generations == {leader.generation + 1}
    group = groups.get("g")
    assert group is not None
    assert len(group.members) == 2


async def test_a_leader_that_brings_no_assignment_is_out(store: Store) -> None:
    """A follower that waits for its assignment is sent to join again when the leader does not deliver in time."""
    groups = coordinator(store)
    first = await joined(groups, ask(rebalance_timeout_ms=50))
    second_join = asyncio.ensure_future(joined(groups, ask(rebalance_timeout_ms=50)))
    await asyncio.sleep(0)
    await joined(groups, ask(first.member_id, rebalance_timeout_ms=50))
    second = await second_join
    async with asyncio.timeout(2):
        assert (await synced(groups, second)).error is ErrorCode.rebalance_in_progress
    again = await joined(groups, ask(second.member_id, rebalance_timeout_ms=50))
    assert again.leader == second.member_id


async def test_leaving_starts_a_rebalance_and_the_last_one_empties_the_group(store: Store) -> None:
    """Who leaves is out at once; without members the group is empty and may be deleted."""
    groups = coordinator(store)
    leader, follower = await stable_pair(groups)
    assert groups.delete("g") is ErrorCode.non_empty_group
    assert groups.leave("g", follower.member_id, None) is ErrorCode.none
    assert groups.leave("g", follower.member_id, None) is ErrorCode.unknown_member_id
    assert groups.heartbeat("g", leader.member_id, None, leader.generation) is ErrorCode.rebalance_in_progress
    assert groups.leave("g", leader.member_id, None) is ErrorCode.none
    assert groups.delete("g") is ErrorCode.none
    assert groups.delete("g") is ErrorCode.group_id_not_found


async def test_a_static_member_comes_back_without_a_rebalance(store: Store) -> None:
    """Under the same instance id a restarted member keeps its assignment; its former id is fenced."""
    groups = coordinator(store)
    first = await joined(groups, ask(instance_id="i"))
    await synced(groups, first, **{first.member_id: b"mine"})
    back = await joined(groups, ask(instance_id="i", skips_assignment=True))
    assert (back.generation, back.skip_assignment) == (first.generation, True)
    assert groups.heartbeat("g", first.member_id, "i", first.generation) is ErrorCode.fenced_instance_id
    answer = groups.sync("g", back.member_id, "i", back.generation, {})
    assert isinstance(answer, Synced)
    assert answer.assignment == b"mine"


async def test_who_may_commit(store: Store) -> None:
    """Members of the current generation may commit; others only while the group has no members."""
    groups = coordinator(store)
    assert groups.may_commit("g", "", None, -1) is ErrorCode.none
    assert groups.may_commit("g", "m", None, 3) is ErrorCode.group_id_not_found
    leader, _ = await stable_pair(groups)
    assert groups.may_commit("g", leader.member_id, None, leader.generation) is ErrorCode.none
    assert groups.may_commit("g", leader.member_id, None, leader.generation - 1) is ErrorCode.illegal_generation
    assert groups.may_commit("g", "other", None, leader.generation) is ErrorCode.unknown_member_id
    assert groups.may_commit("g", "", None, -1) is ErrorCode.unknown_member_id


async def test_a_stable_group_survives_the_broker(store: Store) -> None:
    """After a restart members go on in the same generation with the same assignment, without a rebalance."""
    leader, follower = await stable_pair(coordinator(store))
    restarted = coordinator(store)
    assert restarted.heartbeat("g", follower.member_id, None, follower.generation) is ErrorCode.none
    assert (await synced(restarted, leader)).assignment == b"one"


async def test_generations_never_come_twice_over_a_restart(store: Store) -> None:
    """A generation that was given out before a crash is not given out again, assigned or not."""
    groups = coordinator(store)
    first = await joined(groups, ask())
    restarted = coordinator(store)
    assert restarted.heartbeat("g", first.member_id, None, first.generation) is ErrorCode.unknown_member_id
    assert (await joined(restarted, ask())).generation == first.generation + 1


def test_offsets_survive_and_can_be_forgotten(store: Store) -> None:
    """A commit is there for the next process; forgetting a topic or a group is too."""
    offsets = Offsets(store.state)
    offsets.commit("g", {("t", 0): Committed(5, 0, "note"), ("u", 1): Committed(7)})
    assert Offsets(store.state).of("g") == {("t", 0): Committed(5, 0, "note"), ("u", 1): Committed(7)}
    offsets.forget_topic("t")
    assert Offsets(store.state).of("g") == {("u", 1): Committed(7)}
    offsets.forget("g")
    assert list(Offsets(store.state).groups()) == []


def test_held_offsets_count_only_when_their_transaction_commits(store: Store) -> None:
    """Positions of an open transaction are unstable and invisible; they appear at commit and vanish at abort."""
    offsets = Offsets(store.state)
    offsets.hold(1, "g", {("t", 0): Committed(5)})
    offsets.hold(2, "g", {("t", 1): Committed(6)})
    assert offsets.unstable("g") == {("t", 0), ("t", 1)}
    assert offsets.of("g") == {}
    offsets.release(1, commit=False)
    offsets.release(2, commit=True)
    assert offsets.unstable("g") == set()
    assert offsets.of("g") == {("t", 1): Committed(6)}
