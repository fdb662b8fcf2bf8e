"""Which dead letters are meant: by DLQ, stage, kind, fingerprint, tenant, time or place. Also a job's specification."""

from __future__ import annotations

import msgspec
from roggia_schemas import topics

from roggia_operator.dlq.letters import UNKNOWN, Letter, Place, whole
from roggia_operator.dlq.remedies import KINDS
from roggia_operator.errors import SelectionError

DLQ = ".dlq"


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything that is named must hold; what is empty holds for every letter. Times are UTC epoch milliseconds:
    `since_ms` inclusive, `until_ms` exclusive, of the letter's coming to its DLQ.
    """

    topics: tuple[str, ...] = ()
    """DLQs."""
    stage: str = ""
    kind: str = ""
    fingerprint: str = ""
    tenant: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    places: tuple[Place, ...] = ()

    def matches(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        return (
            (not self.topics or letter.place.topic in self.topics)
            and self.stage in ("", letter.stage)
            and self.kind in ("", letter.kind)
            and self.fingerprint in ("", letter.fingerprint)
            and self.tenant in ("", letter.tenant)
            and (self.since_ms is None or letter.timestamp_ms >= self.since_ms)
            and (self.until_ms is None or letter.timestamp_ms < self.until_ms)
            and (not self.places or letter.place in self.places)
        )

    def reads(self, topic: str) -> bool:
        """Whether letters of this DLQ can match at all."""
        return (not self.topics or topic in self.topics) and (
            not self.places or any(place.topic == topic for place in self.places)
        )


def dlqs(known: tuple[str, ...], named: str) -> tuple[str, ...]:
    """The DLQs that a name means: a DLQ itself, or for a live topic its DLQ and its lane's. Empty: all of them.

    Raises `SelectionError` when there is none.
    """
    every = tuple(name for name in known if name.endswith(DLQ))
    if not named:
        return every
    found = tuple(name for name in every if named in (name, name.removesuffix(DLQ), topics.base(name)))
    if not found:
        raise SelectionError(f"TOPIC: {named!r} has no DLQ here; there are {', '.join(every) or 'none'}")
    return found


def kind(text: str) -> str:
    """A kind of letter as it was written; empty for all. Raises `SelectionError` for a word that is none."""
    if text not in ("", *KINDS, UNKNOWN):
        raise SelectionError(f"--kind: {text!r} is none; use {', '.join(KINDS)}, or {UNKNOWN} for letters without one")
    return text


def place(topic: str, text: str) -> Place:
    """`PARTITION:OFFSET` of a DLQ as a place. Raises `SelectionError`."""
    partition, colon, offset = text.partition(":")
    if not colon or min(whole(partition, -1), whole(offset, -1)) < 0:
        raise SelectionError(f"PLACE: {text!r} is not PARTITION:OFFSET; `roggia dlq list` shows some")
    if not topic.endswith(DLQ):
        raise SelectionError(f"TOPIC: {topic!r} is no DLQ; name it with {DLQ!r} at its end")
    return Place(topic, int(partition), int(offset))
