"""Old records sent again, as a replay job or a careless operator does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from roggia_runtime import replay
from roggia_runtime.offsets import Offsets
from roggia_runtime.records import Output, Partition, Record
from roggia_schemas import topics

from tests.support.fleet import GROUPS
from tests.support.storm.crew import Crew

TOPICS: Final[Mapping[str, str]] = {
    "doc.changed": topics.DOC_CHANGED,
    "doc.chunked": topics.doc_chunked(1),
    "doc.embedded": topics.doc_embedded(1),
}
LIVE: Final = "live"
"""How to replay: into the live topic byte for byte, or through the lane in one of the two modes."""
HOWS: Final = (LIVE, replay.SAME, replay.RENEW)
_OF_EACH = 8
"""Records of each partition that a replay sends again."""


async def replay_some(crew: Crew, stem: str, how: str, job: str) -> int:
    """Send the oldest records of a topic again, as far as its group has committed them; return how many."""
    topic = TOPICS[stem]
    (group,) = [name for name, live in GROUPS.items() if live == topic]
    async with Offsets(crew.kafka) as offsets:
        committed = (await offsets.committed([group]))[group]
    old = [
        record
        for record in await crew.records(topic, _OF_EACH)
        if record.offset < committed.get(Partition(topic, record.partition), 0)
    ]
    await crew.produce([_output(record, how, job) for record in old])
    return len(old)


def _output(record: Record, how: str, job: str) -> Output:
    if how == LIVE:
        return Output(record.topic, record.key, record.value, record.headers)
    told = {
        replay.JOB: job,
        replay.TOPIC: record.topic,
        replay.PARTITION: str(record.partition),
        replay.OFFSET: str(record.offset),
        replay.MODE: how,
    }
    ours = tuple((name, value.encode()) for name, value in told.items())
    kept = tuple(header for header in record.headers if not header[0].startswith(replay.PREFIX))
    return Output(topics.replay(record.topic), record.key, record.value, kept + ours)
