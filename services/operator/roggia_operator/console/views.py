"""What the console shows, as plain values: templates know these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Hop:
    """One stage with the topic that it reads. Rates in records per second; `oldest_s` is the age of the oldest unread
    live record (0 when caught up, None when not measured yet); `status` is OK, WARN, STALL, STOP, REWIND or UNKNOWN.
    `aside`: the stage belongs to a generation that serves nothing, and what it does: nobody waits for it."""

    stage: str
    group: str
    topic: str
    status: str = "UNKNOWN"
    lag: int = 0
    oldest_s: float | None = None
    rate_in: float | None = None
    rate_out: float | None = None
    left_s: float | None = None
    lane_lag: int = 0
    dead_letters: int = 0
    aside: str = ""


@dataclass(frozen=True, slots=True)
class Freshness:
    """From a document's change to its being searchable, seconds, over the newest live documents. `oldest_s` is the age
    of the oldest live event that some group has not processed; None where one could not be measured."""

    documents: int
    p50_s: float | None
    p95_s: float | None
    last_indexed_at: int | None
    objective_s: float
    oldest_s: float | None = None
    oldest_exact: bool = True
    """False: it is not older than that."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The whole picture. `problems` says in words what could not be read. `dead_letters` are the open ones of all
    stages; hops of one stage show the same ones, since generations share what they read."""

    hops: tuple[Hop, ...]
    freshness: Freshness
    problems: tuple[str, ...] = ()
    dead_letters: int = 0


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """One partition of one group."""

    group: str
    topic: str
    partition: int
    status: str
    committed: int | None
    end: int
    lag: int
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One topic: `offsets` spanned, markers of transactions among them."""

    name: str
    partitions: int
    offsets: int
    owner: str
    description: str


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One record. `fields` is the decoded event, empty with an `error` when it cannot be read."""

    partition: int
    offset: int
    timestamp_ms: int
    key: str | None
    headers: Mapping[str, str]
    fields: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    tombstone: bool = False


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Dead letters with one cause."""

    topic: str
    stage: str
    kind: str
    field: str
    fingerprint: str
    count: int
    first_ms: int
    last_ms: int
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter in full."""

    group: LetterGroup
    record: RecordRow


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job. `done` and `total` are offsets scanned; `rates` are limits per second."""

    job_id: str
    kind: str
    status: str
    message: str
    requested_by: str
    reason: str
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    done: int
    total: int
    counts: Mapping[str, int]
    rates: Mapping[str, float]
    spec: Mapping[str, Any]
    wish: str = "RUN"

    @property
    def over(self) -> bool:
        """Nothing more will happen."""
        return self.status in ("DONE", "FAILED", "CANCELLED")


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """One physical collection; `alias` is empty when readers do not come to it. `store` is the store's name in the
    embedder's settings; empty: their own."""

    name: str
    alias: str
    generation: int
    model: str
    dimension: int
    points: int
    store: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do, to be shown, confirmed and then carried out as shown.

    `facts` are label and value; `payload` is what `Actions.start` takes back, unchanged, with `kind`.
    """

    kind: str
    title: str
    verb: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    payload: str
    needs_reason: bool = False
    refused: str = ""
