"""What a broker answers to transactional producers, and to those who look at them."""

from __future__ import annotations

from typing import Any

from roggia_devstack.wire import apis

from tests.contract.kafka.answers.asking import GROUP, TRANSACTION, Ask, Asker, Behaviours, named, plain_batch

Producer = tuple[int, int]


def _initial(transactional_id: str | None = "", timeout_ms: int = 60_000, **changes: Any) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(TRANSACTION)
        name = asker.name("tx") if transactional_id == "mine" else transactional_id
        request = {"producer_id": -1, "producer_epoch": -1, **changes}
        answer = await asker.patiently(
            apis.INIT_PRODUCER_ID, _code, transactional_id=name, transaction_timeout=timeout_ms, **request
        )
        return f"{named(answer['error_code'])}, epoch {answer['producer_epoch']}"

    return ask


def _code(answer: Any) -> int:
    return int(answer["error_code"])


async def _initial_twice(asker: Asker) -> str:
    await asker.coordinator(TRANSACTION)
    first = await asker.producer(asker.name("tx"))
    second = await asker.producer(asker.name("tx"))
    return f"same id: {first[0] == second[0]}, epochs {first[1]} and {second[1]}"


async def _initial_as_other(asker: Asker) -> str:
    await asker.coordinator(TRANSACTION)
    pid, epoch = await asker.producer(asker.name("tx"))
    await asker.producer(asker.name("tx"))
    await asker.producer(asker.name("tx"))
    answer = await asker.ask(
        apis.INIT_PRODUCER_ID,
        transactional_id=asker.name("tx"),
        transaction_timeout=60_000,
        producer_id=pid,
        producer_epoch=epoch,
    )
    return named(answer["error_code"])


async def _add(asker: Asker, producer: Producer, *partitions: tuple[str, int]) -> str:
    def code(answer: Any) -> int:
        return int(answer["results_by_topic_v3_and_below"][0]["results_by_partition"][0]["partition_error_code"])

    topics: dict[str, list[int]] = {}
    for topic, partition in partitions:
        topics.setdefault(topic, []).append(partition)
    answer = await asker.patiently(
        apis.ADD_PARTITIONS_TO_TXN,
        code,
        v3_and_below_transactional_id=asker.name("tx"),
        v3_and_below_producer_id=producer[0],
        v3_and_below_producer_epoch=producer[1],
        v3_and_below_topics=[{"name": name, "partitions": numbers} for name, numbers in topics.items()],
    )
    found = answer["results_by_topic_v3_and_below"]
    codes = [named(part["partition_error_code"]) for topic in found for part in topic["results_by_partition"]]
    return ", ".join(sorted(codes))


def _adding(*, pid: int = 0, epoch: int = 0, extra: tuple[str, int] | None = None, begun: bool = True) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(TRANSACTION)
        topic = await asker.topic()
        mine = await asker.producer(asker.name("tx")) if begun else (7, 0)
        wanted = [(topic, 0)] + ([(extra[0] or topic, extra[1])] if extra else [])
        return await _add(asker, (mine[0] + pid, mine[1] + epoch), *wanted)

    return ask


async def _end(asker: Asker, producer: Producer, *, commit: bool = True) -> str:
    answer = await asker.patiently(
        apis.END_TXN,
        _code,
        transactional_id=asker.name("tx"),
        producer_id=producer[0],
        producer_epoch=producer[1],
        committed=commit,
    )
    return named(answer["error_code"])


def _ending(*ends: bool, adds: bool = True, begun: bool = True, epoch: int = 0) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(TRANSACTION)
        topic = await asker.topic()
        mine = await asker.producer(asker.name("tx")) if begun else (7, 0)
        if adds:
            await _add(asker, mine, (topic, 0))
        return ", then ".join([await _end(asker, (mine[0], mine[1] + epoch), commit=commit) for commit in ends])

    return ask


def _writing(*, added: bool = True, tx: bool = True, epoch: int = 0, ended: bool = False, sequence: int = 0) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(TRANSACTION)
        topic = await asker.topic()
        mine = await asker.producer(asker.name("tx"))
        if added:
            await _add(asker, mine, (topic, 0))
        if ended:
            await _end(asker, mine)
        batch = plain_batch(producer=(mine[0], mine[1] + epoch, sequence), transactional=True)
        return (await asker.produce(topic, batch, tx=asker.name("tx") if tx else None))[0]

    return ask


def _offsets(*, added: bool = True, epoch: int = 0, commit: bool = True, **changes: Any) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(TRANSACTION)
        await asker.coordinator(GROUP)
        topic, group = await asker.topic(), asker.name("g")
        mine = await asker.producer(asker.name("tx"))
        who = {"producer_id": mine[0], "producer_epoch": mine[1] + epoch, "transactional_id": asker.name("tx")}
        if added:
            await asker.patiently(
                apis.ADD_OFFSETS_TO_TXN, _code, **who | {"producer_epoch": mine[1]}, group_id=group
            )  # fmt: skip
        part = {"partition_index": 0, "committed_offset": 5, "committed_metadata": ""}
        request = {**who, "topics": [{"name": topic, "partitions": [part]}], **changes}
        answer = await asker.patiently(apis.TXN_OFFSET_COMMIT, _commit_code, group_id=group, **request)
        said = named(_commit_code(answer))
        if said != "ok":
            return said
        before = await asker.committed(group, topic)
        await _end(asker, mine, commit=commit)
        await asker.producer(asker.name("tx"))
        return f"{said}; committed {before}, then {await asker.committed(group, topic)}"

    return ask


def _commit_code(answer: Any) -> int:
    return int(answer["topics"][0]["partitions"][0]["error_code"])


async def _describe(asker: Asker, key: str) -> str:
    answer = await asker.patiently(
        apis.DESCRIBE_TRANSACTIONS,
        lambda found: int(found["transaction_states"][0]["error_code"]),
        transactional_ids=[key],
    )
    found = answer["transaction_states"][0]
    topics = sum(len(topic["partitions"]) for topic in found["topics"])
    return f"{named(found['error_code'])}, {found['transaction_state'] or 'no state'}, {topics} partitions"


def _describing(state: str) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(TRANSACTION)
        if state != "unknown":
            mine = await asker.producer(asker.name("tx"))
            if state == "open":
                await _add(asker, mine, (await asker.topic(), 0))
        return await _describe(asker, asker.name("tx"))

    return ask


def _listing(states: list[str], *, mine_alone: bool = False, duration: int = -1) -> Ask:
    async def ask(asker: Asker) -> str:
        await asker.coordinator(TRANSACTION)
        mine = await asker.producer(asker.name("tx"))
        await _add(asker, mine, (await asker.topic(), 0))
        answer = await asker.ask(
            apis.LIST_TRANSACTIONS,
            state_filters=states,
            producer_id_filters=[mine[0]] if mine_alone else [],
            duration_filter=duration,
        )
        found = [one["transaction_state"] for one in answer["transaction_states"] if one["producer_id"] == mine[0]]
        unknown = list(answer["unknown_state_filters"])
        return f"{named(answer['error_code'])}: {found or 'nothing'}" + (f", unknown {unknown}" if unknown else "")

    return ask


BEHAVIOURS: Behaviours = {
    "InitProducerId: without a transactional id": _initial(None),
    "InitProducerId: a new transactional id": _initial("mine"),
    "InitProducerId: an empty transactional id": _initial(""),
    "InitProducerId: a timeout of 0": _initial("mine", 0),
    "InitProducerId: a timeout above the broker's limit": _initial("mine", 2**31 - 1),
    "InitProducerId: a negative timeout": _initial("mine", -1),
    "InitProducerId: an id without an epoch": _initial("mine", producer_id=5),
    "InitProducerId: an epoch without an id": _initial("mine", producer_epoch=5),
    "InitProducerId: again": _initial_twice,
    "InitProducerId: as an instance that was replaced": _initial_as_other,
    "AddPartitionsToTxn: a partition": _adding(),
    "AddPartitionsToTxn: one of two is unknown": _adding(extra=("", 9)),
    "AddPartitionsToTxn: one of two topics is unknown": _adding(extra=("no-such-topic", 0)),
    "AddPartitionsToTxn: another producer id": _adding(pid=1),
    "AddPartitionsToTxn: a past epoch": _adding(epoch=-1),
    "AddPartitionsToTxn: a later epoch": _adding(epoch=1),
    "AddPartitionsToTxn: an unknown transactional id": _adding(begun=False),
    "EndTxn: commit": _ending(True),
    "EndTxn: abort": _ending(False),
    "EndTxn: commit twice": _ending(True, True),
    "EndTxn: abort twice": _ending(False, False),
    "EndTxn: commit, then abort": _ending(True, False),
    "EndTxn: nothing was begun": _ending(True, adds=False),
    "EndTxn: an unknown transactional id": _ending(True, adds=False, begun=False),
    "EndTxn: a past epoch": _ending(True, epoch=-1),
    "Produce: in a transaction": _writing(),
    "Produce: to a partition that is not in the transaction": _writing(added=False),
    "Produce: after the transaction ended": _writing(ended=True),
    "Produce: a transactional batch without a transactional id": _writing(tx=False),
    "Produce: in a transaction, a past epoch": _writing(epoch=-1),
    "Produce: in a transaction, a later epoch": _writing(epoch=1),
    "TxnOffsetCommit: committed": _offsets(),
    "TxnOffsetCommit: aborted": _offsets(commit=False),
    "TxnOffsetCommit: a past epoch": _offsets(epoch=-1),
    "TxnOffsetCommit: a member that there is not": _offsets(member_id="nobody", generation_id=4),
    "DescribeTransactions: an unknown id": _describing("unknown"),
    "DescribeTransactions: nothing begun": _describing("empty"),
    "DescribeTransactions: open": _describing("open"),
    "ListTransactions: all": _listing([]),
    "ListTransactions: by state": _listing(["Ongoing"]),
    "ListTransactions: by another state": _listing(["Empty"]),
    "ListTransactions: by a state that there is not": _listing(["Sleeping"]),
    "ListTransactions: by producer": _listing([], mine_alone=True),
    "ListTransactions: only older ones": _listing([], duration=60_000),
}
