"""Headers that mark what is processed again: every stage hands them on, so that nobody bills or notifies twice.

A replay job or a redrive puts them on a record when it sends it through a lane. `EventCodec.output` copies them from
parent to child. A consumer that has side effects of its own (billing, notification) skips records that are `replayed`.
"""

from __future__ import annotations

from typing import Final

from roggia_schemas import topics

from roggia_runtime.records import Headers

PREFIX: Final = "roggia_replay_"
JOB: Final = "roggia_replay_job"
"""Id of the job that sent the record again."""
TOPIC: Final = "roggia_replay_topic"
PARTITION: Final = "roggia_replay_partition"
OFFSET: Final = "roggia_replay_offset"
"""Where the record lay that was sent again: topic, partition and offset as decimal text."""
MODE: Final = "roggia_replay_mode"
SAME: Final = "same"
"""Process the record again under its old version: what is there already stays untouched."""
RENEW: Final = "renew"
"""Process the record again under a new epoch: every chunk and point is written anew, right or wrong."""
COLLECTION: Final = "roggia_replay_collection"
"""Suffix of another collection, `kb_<tenant>_<domain>__<suffix>`, into which the index writes instead of its own."""

_OURS = (PREFIX, "roggia_dlq_")


def believed(topic: str, headers: Headers) -> Headers:
    """Headers of a consumed record, without those that its writer had no right to set.

    Publishers write `doc.changed`. What they claim there about replays and redrives is nobody's word: it would hide a
    document from bills and freshness, write it into another collection, or send a redrive to a wrong place. Every
    other topic is written by our stages alone.
    """
    if topic != topics.DOC_CHANGED:
        return headers
    return tuple(header for header in headers if not header[0].startswith(_OURS))


def carried(headers: Headers) -> Headers:
    """What a stage hands on from a record to the records that it makes of it."""
    return tuple(header for header in headers if header[0].startswith(PREFIX))


def header(headers: Headers, name: str) -> str:
    """The last value of a header as text; empty where there is none."""
    found = [value for key, value in headers if key == name]
    return found[-1].decode(errors="replace") if found else ""


def replayed(headers: Headers) -> bool:
    """Whether a record comes from a replay or a redrive."""
    return any(key == JOB for key, _ in headers)


def renewed(headers: Headers) -> bool:
    """Whether a record asks for a new epoch."""
    return header(headers, MODE) == RENEW
