"""From a dead letter back to a record for the lane: original bytes, what the letter added taken off again."""

from __future__ import annotations

from roggia_runtime import replay
from roggia_runtime.consumer.dead_letters import REDRIVES, without
from roggia_runtime.records import Output, Record
from roggia_schemas import topics

from roggia_operator.dlq.entries import Entry

_RENEWED = (replay.JOB, replay.TOPIC, replay.PARTITION, replay.OFFSET, replay.MODE)


def redriven(record: Record, entry: Entry, job_id: str) -> Output:
    """The record of a letter for the lane of its live topic.

    A letter of a replay keeps the replay's mode and collection: it goes where it was going.
    """
    own = tuple(header for header in without(record.headers) if header[0] not in _RENEWED)
    ours = {
        replay.JOB: job_id,
        replay.TOPIC: entry.origin.topic,
        replay.PARTITION: str(entry.origin.partition),
        replay.OFFSET: str(entry.origin.offset),
        replay.MODE: replay.header(record.headers, replay.MODE) or replay.SAME,
        REDRIVES: str(entry.letter.redrives + 1),
    }
    added = tuple((name, text.encode()) for name, text in ours.items())
    return Output(topics.replay(entry.base), record.key, record.value, own + added)
