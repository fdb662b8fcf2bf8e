"""The topic catalogue: names, rows, and what every row must say."""

from __future__ import annotations

import pytest
from roggia_schemas import bundled, topics
from roggia_schemas.errors import InvalidNameError, UnknownEventError

DAY = 86_400_000
KAFKA_CONFIGS = {
    "cleanup.policy",
    "delete.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.timestamp.type",
    "min.compaction.lag.ms",
    "retention.ms",
    "segment.ms",
}


def test_names() -> None:
    """Helpers give the names that everybody reads and writes."""
    assert topics.doc_chunked(1) == "doc.chunked.c1"
    assert topics.doc_embedded(12) == "doc.embedded.g12"
    assert topics.dlq(topics.DOC_CHANGED) == "doc.changed.dlq"
    assert topics.replay(topics.DOC_CHANGED) == "doc.changed.replay"
    assert topics.dlq(topics.replay("doc.chunked.c2")) == "doc.chunked.c2.replay.dlq"
    assert topics.base("doc.chunked.c2.replay.dlq") == "doc.chunked.c2"


@pytest.mark.parametrize("number", [0, -1, 2**31])
def test_generations_count_from_one(number: int) -> None:
    """A generation outside 1 to 2^31 - 1 has no topic."""
    with pytest.raises(InvalidNameError, match="generation"):
        topics.doc_chunked(number)


@pytest.mark.parametrize("name", ["doc.changed.dlq", "doc.changed.replay"])
def test_no_lane_of_a_lane(name: str) -> None:
    """A DLQ has no replay lane, neither has a lane."""
    with pytest.raises(InvalidNameError):
        topics.replay(name)


def test_no_dlq_of_a_dlq() -> None:
    """Dead letters of dead letters would have no end."""
    with pytest.raises(InvalidNameError):
        topics.dlq("doc.changed.dlq")


def test_catalogue_holds_every_topic_its_lane_and_their_dlqs() -> None:
    """What `roggia topics apply` creates for the first generation."""
    replayed = ["doc.changed", "doc.chunked.c1", "doc.embedded.g1"]
    others = [
        "doc.upserted", "retrieval.served", "ops.job", "tenant.config", "index.generation", "doc.popularity",
        "retrieval.shadowed", "inference.completed", "price.changed", "audit.recorded", "tenant.usage", "tenant.budget",
        "usage.adjusted", "audit.alert", "audit.checkpoint",
    ]  # fmt: skip
    source = [name for topic in replayed for name in (topic, f"{topic}.replay")] + others
    assert [spec.name for spec in topics.catalogue()] == [name for topic in source for name in (topic, f"{topic}.dlq")]


@pytest.mark.parametrize("spec", topics.catalogue(), ids=lambda spec: spec.name)
def test_every_row_is_complete(spec: topics.TopicSpec) -> None:
    """Every topic has an owner, parties, a schema, room for its records and settings that Kafka knows."""
    assert spec.owner
    assert spec.producers
    assert spec.consumers
    assert spec.description
    assert bundled.schema(spec.event)
    assert set(spec.config) <= KAFKA_CONFIGS
    assert int(spec.config["max.message.bytes"]) >= 1 << 20
    assert ("retention.ms" in spec.config) == (spec.config["cleanup.policy"] == "delete")
    assert topics.spec(spec.name) == spec


@pytest.mark.parametrize("name", ["doc.changed", "doc.chunked.c1"])
def test_compacted_topics_keep_deletions_seen(name: str) -> None:
    """At least 7 days of compaction lag and tombstone retention, and a bound for erasure; room above 8 MiB."""
    config = topics.spec(name).config
    assert config["cleanup.policy"] == "compact"
    assert int(config["min.compaction.lag.ms"]) >= 7 * DAY
    assert int(config["delete.retention.ms"]) >= 7 * DAY
    assert int(config["min.compaction.lag.ms"]) < int(config["max.compaction.lag.ms"])
    assert int(config["segment.ms"]) <= int(config["max.compaction.lag.ms"])
    assert int(config["max.message.bytes"]) > 8 << 20


def test_lanes_follow_their_source() -> None:
    """DLQ: 30 days, larger records, written by the consumers. Replay lane: 7 days. Both keyed as the source."""
    source, dead, lane = (topics.spec(f"doc.embedded.g3{end}") for end in ("", ".dlq", ".replay"))
    assert dead.config["retention.ms"] == str(30 * DAY)
    assert int(dead.config["max.message.bytes"]) > int(source.config["max.message.bytes"])
    assert lane.config["retention.ms"] == str(7 * DAY)
    assert dead.producers == source.consumers
    assert {dead.key, lane.key} == {source.key}
    assert {dead.partitions, lane.partitions} == {source.partitions}
    assert topics.spec("doc.embedded.g3.replay.dlq").name == "doc.embedded.g3.replay.dlq"


@pytest.mark.parametrize("name", ["none", "doc.chunked", "doc.chunked.c0", "doc.chunked.cx", "doc.changed.c1", ".dlq"])
def test_unknown_topics_are_refused(name: str) -> None:
    """A topic that the catalogue lacks is an error that lists what it has."""
    with pytest.raises(UnknownEventError, match=r"doc\.changed"):
        topics.spec(name)


def test_numbers_are_unique() -> None:
    """Bundled schema ids rest on them."""
    numbers = [file.number for file in topics.files()]
    assert len(set(numbers)) == len(numbers)
    assert [file.event for file in topics.files()] == sorted(bundled.event_names(), key=_number)


def _number(event: str) -> int:
    return next(file.number for file in topics.files() if file.event == event)
