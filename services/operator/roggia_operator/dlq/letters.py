"""One dead letter: where it lies, what it was, why it failed. Parsed from headers alone; its value is never held."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from roggia_runtime import replay
from roggia_runtime.consumer.dead_letters import REDRIVES
from roggia_runtime.records import Headers, Record
from roggia_schemas import topics

GAP: Final = "gap"
"""Kind of a letter that tells of lost offsets and holds no record."""
UNKNOWN: Final = "?"
"""What a letter does not say about itself."""
_NUMBER = re.compile(r"[0-9]{1,18}\Z")


class Place(NamedTuple):
    """One record's place on the log. As text: `topic partition:offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic} {self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a dead letter says. `timestamp_ms` is when it came to its DLQ, UTC epoch; a letter that misses ours has
    `?` for words, and no `source`.
    """

    place: Place
    timestamp_ms: int
    key: bytes | None
    stage: str
    kind: str
    field: str
    fingerprint: str
    message: str
    group: str
    source: Place | None
    """Where the record lay that the stage refused: in the live topic or its lane."""
    origin: Place | None
    """Where it was first: the live topic, unless it was born in the lane."""
    redrives: int
    job: str
    """The job that sent the record through the lane, or empty."""

    @property
    def base(self) -> str:
        """The live topic behind its DLQ."""
        return topics.base(self.place.topic)

    @property
    def tenant(self) -> str:
        """Owner by the key; empty where the key has none."""
        name, slash, _ = (self.key or b"").partition(b"/")
        return name.decode(errors="replace") if slash or self.key else ""

    @property
    def live_born(self) -> bool:
        """Whether its first place is on the live topic, so that it can be compared with what came after it there."""
        return self.origin is not None and self.origin.topic == self.base


def letter(record: Record) -> Letter:
    """Read a letter's headers. Never raises: what is missing or malformed reads as unknown."""
    headers = record.headers
    source = _place(headers, "__dlq.errors.topic", "__dlq.errors.partition", "__dlq.errors.offset")
    return Letter(
        place=Place(record.topic, record.partition, record.offset),
        timestamp_ms=record.timestamp_ms,
        key=record.key,
        stage=replay.header(headers, "roggia_dlq_stage") or UNKNOWN,
        kind=replay.header(headers, "roggia_dlq_kind") or UNKNOWN,
        field=replay.header(headers, "roggia_dlq_field"),
        fingerprint=replay.header(headers, "roggia_dlq_fingerprint") or UNKNOWN,
        message=replay.header(headers, "__dlq.errors.message"),
        group=replay.header(headers, "__dlq.errors.group"),
        source=source,
        origin=_origin(headers, source),
        redrives=whole(replay.header(headers, REDRIVES), 0),
        job=replay.header(headers, replay.JOB),
    )


def _origin(headers: Headers, source: Place | None) -> Place | None:
    """Replay headers tell it for a record of that very topic; others were born later, from a replayed parent."""
    first = _place(headers, replay.TOPIC, replay.PARTITION, replay.OFFSET)
    if source is None or first is None:
        return source
    return first if first.topic == topics.base(source.topic) else source


def _place(headers: Headers, topic: str, partition: str, offset: str) -> Place | None:
    name = replay.header(headers, topic)
    numbers = [replay.header(headers, partition), replay.header(headers, offset)]
    if not name or not all(_NUMBER.match(number) for number in numbers):
        return None
    return Place(name, int(numbers[0]), int(numbers[1]))


def whole(text: str, otherwise: int) -> int:
    """A number of at most 18 digits that a header or an operator wrote; `otherwise` for any other text."""
    return int(text) if _NUMBER.match(text) else otherwise
