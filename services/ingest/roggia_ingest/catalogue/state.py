"""The state of a document as the catalogue keeps it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from roggia_runtime.records import Partition
from roggia_schemas import topics
from roggia_schemas.names import Version


class DocKey(NamedTuple):
    """Identity of a document."""

    tenant_id: str
    doc_id: str


class DocState(msgspec.Struct, frozen=True, kw_only=True):
    """What one record made of a document. `offset` is where that record lies in `topic`, `partition`."""

    revision: int
    epoch: int
    deleted: bool
    domain: str
    left_domains: tuple[str, ...] = ()
    """Every other domain that ever held the document, sorted. Cumulative: compaction may eat the record that moved."""
    event_id: str
    """The `doc.changed` that this state comes from."""
    digest: str | None = None
    """What that event says of the document (`statement.digest`), kept through every epoch. None in old rows."""
    expires_at: int | None = None
    """Milliseconds since the epoch."""
    ended_epoch: int | None = None
    """Of a renewed deletion: its first epoch, which names its event whatever the epoch is now."""
    by_null: bool = False
    """Whether a Kafka null ended it."""
    origin: int | None = None
    """Of what came through a lane: the offset of its record in the live topic, same partition, where that is known."""
    ended_at: int | None = None
    """When a deletion occurred, milliseconds since the epoch: so that it can be emitted again. None in old rows."""
    topic: str
    partition: int
    offset: int

    @property
    def version(self) -> Version:
        """Its place in the order of states."""
        return Version(self.revision, self.epoch)

    @property
    def live_offset(self) -> int | None:
        """Where the record lies, or lay, in the live topic's partition."""
        return self.offset if topics.base(self.topic) == self.topic else self.origin

    @property
    def source(self) -> Partition:
        """Where its record lies."""
        return Partition(self.topic, self.partition)


class Entry(NamedTuple):
    """The newest state of a document, and older ones to return to if batches that wrote newer ones never committed.

    `older` is newest first and ends with a committed state, or with None for a document that did not exist before.
    """

    current: DocState | None
    older: tuple[DocState | None, ...] = ()
