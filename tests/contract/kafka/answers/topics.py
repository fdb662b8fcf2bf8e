"""What a broker answers about topics: made, grown, described, deleted, and their records deleted."""

from __future__ import annotations

import uuid
from typing import Any

from roggia_devstack.wire import apis

from tests.contract.kafka.answers.asking import Ask, Asker, Behaviours, named, new_topic

_LONG = "n" * 250


async def _create(asker: Asker, *topics: dict[str, Any], check: bool = False) -> str:
    answer = await asker.ask(apis.CREATE_TOPICS, topics=list(topics), timeout=10_000, validate_only=check)
    found = answer["topics"]
    codes = sorted({named(topic["error_code"]) for topic in found})
    counts = [topic["num_partitions"] for topic in found]
    return ", ".join(codes) + (f", {counts[0]} partitions" if codes == ["ok"] else "")


def _creating(name: str | None = None, partitions: int = 1, **changes: Any) -> Ask:
    async def ask(asker: Asker) -> str:
        return await _create(asker, new_topic(asker.name("t") if name is None else name, partitions, **changes))

    return ask


async def _create_twice(asker: Asker) -> str:
    topic = await asker.topic()
    return await _create(asker, new_topic(topic))


async def _create_named_twice(asker: Asker) -> str:
    topic = new_topic(asker.name("t"))
    return await _create(asker, topic, topic)


async def _create_colliding(asker: Asker) -> str:
    await asker.topic("dotted.name")
    return await _create(asker, new_topic(asker.name("dotted_name").replace(".", "_")), check=True)


async def _create_only_checked(asker: Asker) -> str:
    name = asker.name("t")
    said = await _create(asker, new_topic(name, 3), check=True)
    return f"{said}; then {named((await asker.metadata(name))['topics'][0]['error_code'])}"


async def _grow(asker: Asker, topic: str, count: int, **changes: Any) -> str:
    wanted = {"name": topic, "count": count, "assignments": changes.pop("assignments", None)}
    answer = await asker.ask(
        apis.CREATE_PARTITIONS, topics=[wanted] * changes.pop("times", 1), timeout=10_000,
        validate_only=changes.pop("check", False),
    )  # fmt: skip
    return ", ".join(sorted({named(result["error_code"]) for result in answer["results"]}))


def _growing(count: int, *, seen: int | None = None, **changes: Any) -> Ask:
    async def ask(asker: Asker) -> str:
        topic = await asker.topic(partitions=2)
        said = await _grow(asker, topic, count, **changes)
        if seen is not None:
            await asker.seen(topic, seen)
            said += f"; then {seen} partitions"
        return said

    return ask


async def _grow_unknown(asker: Asker) -> str:
    return await _grow(asker, asker.name("t"), 2)


async def _delete(asker: Asker, *topics: dict[str, Any]) -> str:
    wanted = [{"name": None, "topic_id": None} | topic for topic in topics]
    answer = await asker.ask(apis.DELETE_TOPICS, topics=wanted, timeout=10_000)
    return ", ".join(sorted({named(topic["error_code"]) for topic in answer["responses"]}))


async def _delete_one(asker: Asker) -> str:
    return await _delete(asker, {"name": await asker.topic()})


async def _delete_by_id(asker: Asker) -> str:
    found = (await asker.metadata(await asker.topic()))["topics"][0]
    return await _delete(asker, {"topic_id": found["topic_id"]})


async def _delete_by_both(asker: Asker) -> str:
    found = (await asker.metadata(await asker.topic()))["topics"][0]
    return await _delete(asker, {"name": found["name"], "topic_id": found["topic_id"]})


async def _delete_by_neither(asker: Asker) -> str:
    return await _delete(asker, {})


async def _delete_named_twice(asker: Asker) -> str:
    topic = {"name": await asker.topic()}
    return await _delete(asker, topic, topic)


async def _delete_unknown(asker: Asker) -> str:
    return await _delete(asker, {"name": asker.name("t")})


async def _delete_unknown_id(asker: Asker) -> str:
    return await _delete(asker, {"topic_id": uuid.UUID(int=7)})


def _deleting_records(offset: int, *, partition: int = 0, topic: str | None = None, **config: str) -> Ask:
    async def ask(asker: Asker) -> str:
        name = await asker.topic(**config)
        await asker.fill(name, 3)
        wanted = {"name": topic or name, "partitions": [{"partition_index": partition, "offset": offset}]}
        answer = await asker.ask(apis.DELETE_RECORDS, topics=[wanted], timeout=10_000)
        found = answer["topics"][0]["partitions"][0]
        return f"{named(found['error_code'])}, low watermark {found['low_watermark']}"

    return ask


async def _delete_records_again(asker: Asker) -> str:
    name = await asker.topic()
    await asker.fill(name, 3)
    said = []
    for offset in (2, 1):
        wanted = {"name": name, "partitions": [{"partition_index": 0, "offset": offset}]}
        answer = await asker.ask(apis.DELETE_RECORDS, topics=[wanted], timeout=10_000)
        found = answer["topics"][0]["partitions"][0]
        said.append(f"{named(found['error_code'])}, low watermark {found['low_watermark']}")
    return "; ".join(said)


def _offsets_at(timestamp: int, *, partition: int = 0, unknown: bool = False) -> Ask:
    async def ask(asker: Asker) -> str:
        name = asker.name("u") if unknown else await asker.topic()
        if not unknown:
            await asker.fill(name, 3)
        part = {"partition_index": partition, "timestamp": timestamp}
        answer = await asker.ask(
            apis.LIST_OFFSETS, replica_id=-1, isolation_level=0, timeout=1000,
            topics=[{"name": name, "partitions": [part]}],
        )  # fmt: skip
        found = answer["topics"][0]["partitions"][0]
        return f"{named(found['error_code'])}, offset {found['offset']}, epoch {found['leader_epoch']}"

    return ask


async def _metadata_of(asker: Asker, name: str) -> str:
    return named((await asker.metadata(name))["topics"][0]["error_code"])


async def _metadata_by_unknown_id(asker: Asker) -> str:
    answer = await asker.ask(
        apis.METADATA, topics=[{"name": None, "topic_id": uuid.UUID(int=7)}], allow_auto_topic_creation=False,
        include_topic_authorized_operations=False,
    )  # fmt: skip
    return named(answer["topics"][0]["error_code"])


BEHAVIOURS: Behaviours = {
    "CreateTopics: a plain topic": _creating(partitions=3),
    "CreateTopics: -1 partitions means the broker's default": _creating(partitions=-1),
    "CreateTopics: no partitions": _creating(partitions=0),
    "CreateTopics: -2 partitions": _creating(partitions=-2),
    "CreateTopics: replication factor -1": _creating(replication_factor=-1),
    "CreateTopics: replication factor 0": _creating(replication_factor=0),
    "CreateTopics: replication factor 3 on one broker": _creating(replication_factor=3),
    "CreateTopics: a name with a slash": _creating("a/b"),
    "CreateTopics: a name that climbs out of a folder": _creating("../../etc/passwd"),
    "CreateTopics: the name ..": _creating(".."),
    "CreateTopics: an empty name": _creating(""),
    "CreateTopics: a name of 250 characters": _creating(_LONG),
    "CreateTopics: a name with a null character": _creating("a\0b"),
    "CreateTopics: an unknown setting": _creating(config={"no_such_setting": "1"}),
    "CreateTopics: a setting that is no number": _creating(config={"retention_ms": "soon"}),
    "CreateTopics: a setting with a null value": _creating(config={"retention_ms": None}),
    "CreateTopics: a setting out of range": _creating(config={"retention_ms": "-2"}),
    "CreateTopics: the topic exists": _create_twice,
    "CreateTopics: one request names a topic twice": _create_named_twice,
    "CreateTopics: a name that differs from another in . and _ alone": _create_colliding,
    "CreateTopics: only checked": _create_only_checked,
    "CreateTopics: replicas assigned by hand": _creating(
        partitions=-1, replication_factor=-1, assignments=[{"partition_index": 0, "broker_ids": [1]}]
    ),
    "CreateTopics: assigned to a broker that does not exist": _creating(
        partitions=-1, replication_factor=-1, assignments=[{"partition_index": 0, "broker_ids": [9]}]
    ),
    "CreateTopics: assigned partitions with a gap": _creating(
        partitions=-1, replication_factor=-1, assignments=[{"partition_index": 1, "broker_ids": [1]}]
    ),
    "CreateTopics: assigned and counted at once": _creating(
        partitions=1, assignments=[{"partition_index": 0, "broker_ids": [1]}]
    ),
    "CreatePartitions: more": _growing(4, seen=4),
    "CreatePartitions: as many as there are": _growing(2),
    "CreatePartitions: fewer": _growing(1),
    "CreatePartitions: none": _growing(0),
    "CreatePartitions: a negative number": _growing(-1),
    "CreatePartitions: an unknown topic": _grow_unknown,
    "CreatePartitions: only checked": _growing(4, check=True, seen=2),
    "CreatePartitions: one request names a topic twice": _growing(4, times=2),
    "CreatePartitions: assigned by hand": _growing(3, assignments=[{"broker_ids": [1]}], seen=3),
    "CreatePartitions: fewer assignments than new partitions": _growing(4, assignments=[{"broker_ids": [1]}]),
    "CreatePartitions: more assignments than new partitions": _growing(3, assignments=[{"broker_ids": [1]}] * 2),
    "CreatePartitions: an assignment without a broker": _growing(3, assignments=[{"broker_ids": []}]),
    "CreatePartitions: assigned to a broker that does not exist": _growing(3, assignments=[{"broker_ids": [9]}]),
    "CreatePartitions: assigned to one broker twice": _growing(3, assignments=[{"broker_ids": [1, 1]}]),
    "DeleteTopics: by name": _delete_one,
    "DeleteTopics: by id": _delete_by_id,
    "DeleteTopics: by name and id at once": _delete_by_both,
    "DeleteTopics: by neither": _delete_by_neither,
    "DeleteTopics: one request names a topic twice": _delete_named_twice,
    "DeleteTopics: an unknown name": _delete_unknown,
    "DeleteTopics: an unknown id": _delete_unknown_id,
    "DeleteRecords: before an offset": _deleting_records(2),
    "DeleteRecords: all (-1)": _deleting_records(-1),
    "DeleteRecords: beyond the end": _deleting_records(4),
    "DeleteRecords: -2": _deleting_records(-2),
    "DeleteRecords: an unknown partition": _deleting_records(1, partition=5),
    "DeleteRecords: an unknown topic": _deleting_records(1, topic="no-such-topic"),
    "DeleteRecords: a compacted topic": _deleting_records(1, cleanup_policy="compact"),
    "DeleteRecords: a topic that is compacted and deleted": _deleting_records(1, cleanup_policy="compact,delete"),
    "DeleteRecords: the start never goes back": _delete_records_again,
    "ListOffsets: earliest": _offsets_at(-2),
    "ListOffsets: latest": _offsets_at(-1),
    "ListOffsets: a time before all records": _offsets_at(0),
    "ListOffsets: a time after all records": _offsets_at(2**62),
    "ListOffsets: earliest local (-4)": _offsets_at(-4),
    "ListOffsets: latest tiered (-5)": _offsets_at(-5),
    "ListOffsets: earliest pending upload (-6)": _offsets_at(-6),
    "ListOffsets: no such special time (-9)": _offsets_at(-9),
    "ListOffsets: an unknown partition": _offsets_at(-1, partition=3),
    "ListOffsets: an unknown topic": _offsets_at(-1, unknown=True),
    "Metadata: an unknown topic": lambda asker: _metadata_of(asker, asker.name("t")),
    "Metadata: a name that no topic can have": lambda asker: _metadata_of(asker, "a/b"),
    "Metadata: an unknown id": _metadata_by_unknown_id,
}
