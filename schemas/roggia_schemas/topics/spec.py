"""What one topic is: the row that `roggia topics apply` creates and AsyncAPI shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from roggia_schemas.topics import names

_DAY_MS = 86_400_000
_DLQ_HEADROOM = 1 << 20
"""Bytes that a dead letter may be larger than its source: the broker counts its error headers too."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic, with its generation filled in. `config` holds Kafka topic settings, values as Kafka takes them."""

    name: str
    event: str
    key: str
    partitions: int
    config: Mapping[str, str]
    owner: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    compatibility: str
    description: str


def dead_letters(source: TopicSpec) -> TopicSpec:
    """Spec of a topic's DLQ: kept 30 days, with room for the error headers on top of the largest source record."""
    size = int(source.config["max.message.bytes"]) + _DLQ_HEADROOM
    return replace(
        source,
        name=names.dlq(source.name),
        config=_deleted_after(30, size),
        producers=source.consumers,
        consumers=("operators",),
        description=f"Records of {source.name} that can never be processed: original bytes, reason in the headers.",
    )


def replay_lane(source: TopicSpec) -> TopicSpec:
    """Spec of a topic's replay lane: same key, partitions and sizes, kept 7 days."""
    return replace(
        source,
        name=names.replay(source.name),
        config=_deleted_after(7, int(source.config["max.message.bytes"])),
        producers=("replay jobs",),
        description=f"Records of {source.name} that are processed again, after everything live.",
    )


def _deleted_after(days: int, max_bytes: int) -> Mapping[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(days * _DAY_MS),
        "max.message.bytes": str(max_bytes),
    }
