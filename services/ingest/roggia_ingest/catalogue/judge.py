"""What a record makes of a document's state. Pure functions of the record and the settled state."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace
from roggia_runtime import replay
from roggia_runtime.records import Record
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, Operation
from roggia_schemas.names import Version

from roggia_ingest.catalogue.state import DocState

LAST_MILLISECOND = 253_402_300_799_999
"""End of the year 9999, the last that headers and most databases can write."""
AHEAD = "ahead"
STALE = "stale"
DUPLICATE = "duplicate"
"""The newest revision once more, saying the same."""
UNKNOWN = "unknown"
DELETED = "deleted"
ASIDE = "aside"
"""Not the newest revision that is known, and meant for another collection: the live topic comes first."""
_OFFSET = re.compile(r"\d{1,18}\Z")


def contradicts(state: DocState, event: DocChanged, digest: str) -> bool:
    """Whether `event`, which says `digest`, says something else under the revision that `state` comes from.

    A revision names one content: whichever of the two were taken, the other would be lost and nobody told. What an old
    row was made of is not known: then nothing contradicts it.
    """
    return event.revision == state.revision and state.digest not in (None, digest)


def unneeded(state: DocState | None, event: DocChanged, digest: str) -> str:
    """Why an event that is not newer than `state` changes nothing."""
    same = state is not None and (state.revision, state.digest) == (event.revision, digest)
    ended = state is not None and state.deleted and event.operation is not Operation.DELETE
    return DUPLICATE if same and not ended else STALE


def changed(state: DocState | None, event: DocChanged, record: Record, digest: str) -> DocState | None:
    """The state after `event`, or None when it is not newer than what is known (see `unneeded`)."""
    if state is not None and (Version(event.revision) <= state.version or _before_the_null(state, record)):
        return None
    deleted = event.operation is Operation.DELETE
    return DocState(
        revision=event.revision,
        epoch=0,
        deleted=deleted,
        domain=event.domain,
        left_domains=_left(state, event.domain),
        event_id=event.event_id,
        digest=digest,
        expires_at=None if deleted else event.expires_at,
        origin=origin(record) if in_lane(record) else None,
        ended_at=event.occurred_at if deleted else None,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def nulled(state: DocState | None, record: Record) -> DocState | str:
    """The state after a Kafka null, or why it changes nothing.

    A null has no revision: it takes the place of the state it finds, one epoch later, unless its offset says that it
    is older. One in a replay lane has no offset to compare and ends nothing.
    """
    if state is None:
        return UNKNOWN
    if in_lane(record):
        return STALE
    if state.partition == record.partition and record.offset < (state.live_offset or 0):
        return STALE
    if state.deleted:
        return DELETED
    ended = _ended(state, moment(record))
    return replace(ended, by_null=True, origin=None, **_place(record))


def expired(state: DocState) -> DocState:
    """The state after the document's expiry: deleted, one epoch later, still owned by the record that made it."""
    return _ended(state, state.expires_at or 0)


def moment(record: Record) -> int:
    """A record's timestamp as a moment that an event can name: whoever wrote the record chose it, in any year."""
    return min(max(0, record.timestamp_ms), LAST_MILLISECOND)


def in_lane(record: Record) -> bool:
    """Whether a record comes from a replay lane."""
    return topics.base(record.topic) != record.topic


def aside(record: Record) -> bool:
    """Whether a lane's record is to fill another collection than its own.

    It changes no state and stays out of the topic of chunk sets: compaction would keep it there as the document's last
    record, and whoever builds an index from that topic would fill the other collection again in the place of its own.
    """
    return in_lane(record) and bool(replay.header(record.headers, replay.COLLECTION))


def origin(record: Record) -> int | None:
    """Where a lane's record lay in the live topic's partition of the same number, by its headers; None if unknown."""
    wanted = (topics.base(record.topic), str(record.partition))
    told = tuple(replay.header(record.headers, name) for name in (replay.TOPIC, replay.PARTITION, replay.OFFSET))
    return int(told[2]) if told[:2] == wanted and _OFFSET.match(told[2]) else None


def again(state: DocState, event: DocChanged | None, record: Record, digest: str) -> DocState | str:
    """The state that a lane's record shows again, or why it shows none.

    `event` has the revision of `state` and does not contradict it, or is None for a Kafka null. A deletion is shown
    again whatever ended the document. Content is shown again under its old version only by the very event that it came
    from: the bytes must be the same. Under a new epoch (`renew`) also by another event that says the same, under the
    first one's id: compaction may have eaten that one, and nobody must count the revision twice.
    """
    renew = replay.renewed(record.headers) and not aside(record)
    if state.deleted:
        return _renewed(state, record) if renew else state
    if event is None or event.operation is Operation.DELETE or event.domain != state.domain:
        return STALE
    if renew:
        return replace(_renewed(state, record), expires_at=event.expires_at, digest=digest)
    return state if event.event_id == state.event_id else unneeded(state, event, digest)


def _before_the_null(state: DocState, record: Record) -> bool:
    """Whether a lane's record lay before the null that ended the document: a null has no revision to compare with.

    Where it lay is unknown without headers that tell: then a deletion stays a deletion.
    """
    if not state.by_null or not in_lane(record):
        return False
    was = origin(record)
    return was is None or state.live_offset is None or was < state.live_offset


def _renewed(state: DocState, record: Record) -> DocState:
    first = state.epoch if state.ended_epoch is None else state.ended_epoch
    named = first if state.deleted else None
    return replace(state, epoch=state.epoch + 1, ended_epoch=named, origin=state.live_offset, **_place(record))


def _place(record: Record) -> dict[str, Any]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


def _ended(state: DocState, ended_at: int) -> DocState:
    return replace(state, epoch=state.epoch + 1, deleted=True, expires_at=None, ended_at=ended_at)


def _left(state: DocState | None, domain: str) -> tuple[str, ...]:
    if state is None:
        return ()
    return tuple(sorted({*state.left_domains, state.domain} - {domain}))
