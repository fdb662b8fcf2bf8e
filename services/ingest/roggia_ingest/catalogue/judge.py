"""What a record makes of a document's state. Pure functions of the record and the settled state."""

from __future__ import annotations

from msgspec.structs import replace
from roggia_runtime import replay
from roggia_runtime.records import Record
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, Operation
from roggia_schemas.names import Version

from roggia_ingest.catalogue.state import DocState

STALE = "stale"
UNKNOWN = "unknown"
DELETED = "deleted"


def changed(state: DocState | None, event: DocChanged, record: Record) -> DocState | None:
    """The state after `event`, or None when it is not newer than what is known (stale)."""
    if state is not None and Version(event.revision) <= state.version:
        return None
    deleted = event.operation is Operation.DELETE
    return DocState(
        revision=event.revision,
        epoch=0,
        deleted=deleted,
        domain=event.domain,
        left_domains=_left(state, event.domain),
        event_id=event.event_id,
        expires_at=None if deleted else event.expires_at,
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
    if state.source == (record.topic, record.partition) and record.offset < state.offset:
        return STALE
    if state.deleted:
        return DELETED
    return _ended(state, record.topic, record.partition, record.offset, max(0, record.timestamp_ms))


def expired(state: DocState) -> DocState:
    """The state after the document's expiry: deleted, one epoch later, still owned by the record that made it."""
    return _ended(state, state.topic, state.partition, state.offset, state.expires_at or 0)


def in_lane(record: Record) -> bool:
    """Whether a record comes from a replay lane."""
    return topics.base(record.topic) != record.topic


def again(state: DocState, event: DocChanged | None, record: Record) -> DocState | None:
    """The state that a lane's record shows again, or None when there is another under its revision (stale).

    `event` has the revision of `state`, or is None for a Kafka null. A deletion is shown again whatever ended the
    document. Content is shown again under its old version only by the very event that it came from: the bytes must be
    the same. Under a new epoch (`renew`) also by another event that says so: compaction may have eaten the first one.
    """
    renew = replay.renewed(record.headers)
    if state.deleted:
        return _renewed(state, record) if renew else state
    if event is None or event.operation is Operation.DELETE or event.domain != state.domain:
        return None
    if renew:
        return replace(_renewed(state, record), event_id=event.event_id, expires_at=event.expires_at)
    return state if event.event_id == state.event_id else None


def _renewed(state: DocState, record: Record) -> DocState:
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    return replace(state, epoch=state.epoch + 1, **place)


def _ended(state: DocState, topic: str, partition: int, offset: int, ended_at: int) -> DocState:
    return DocState(
        revision=state.revision,
        epoch=state.epoch + 1,
        deleted=True,
        domain=state.domain,
        left_domains=state.left_domains,
        event_id=state.event_id,
        ended_at=ended_at,
        topic=topic,
        partition=partition,
        offset=offset,
    )


def _left(state: DocState | None, domain: str) -> tuple[str, ...]:
    if state is None:
        return ()
    return tuple(sorted({*state.left_domains, state.domain} - {domain}))
