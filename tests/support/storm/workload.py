"""What a run publishes: a seeded history of documents with Kafka nulls, expiries and bad events between the changes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Output
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, Operation
from roggia_schemas.names import document_key

from tests.support.bad_events import BadEvent, generate
from tests.support.storm.plan import Plan
from tests.support.workload import workload

_QUICK = {"schema", "invalid", "policy"}
"""Badness that costs no worker process; the others have runs of their own."""
EXPIRED_MS = 1_700_000_000_001
"""A time of expiry that has passed: such a document is searchable for a moment, then a deletion ends it."""
_ELSEWHERE = (None, document_key("acme", "anchor"))
"""Keys of bad events that are none here: a null key has no partition of its own, and no anchor comes before these."""


@dataclass(frozen=True, slots=True)
class Published:
    """Records in order of publication, and the fate of those that are bad, by (key, value)."""

    outputs: tuple[Output, ...]
    fates: dict[tuple[bytes | None, bytes | None], BadEvent]


def published(plan: Plan, codec: EventCodec, content: Path) -> Published:
    """The records of a plan. About one in 25 is bad, one in 40 a Kafka null, one in 30 expires at once."""
    rng = random.Random(plan.seed)
    bad = [event for event in generate(200, plan.seed, content) if event.kind in _QUICK and event.key not in _ELSEWHERE]
    fates = {(event.key, event.value): event for event in bad}
    changes = workload(documents=plan.documents, events=plan.events, seed=plan.seed).events
    return Published(tuple(_outputs(rng, changes, codec, bad)), fates)


def _outputs(
    rng: random.Random, changes: tuple[DocChanged, ...], codec: EventCodec, bad: list[BadEvent]
) -> Iterator[Output]:
    for event in changes:
        draw = rng.random()
        if draw < 0.04:
            yield _as_output(rng.choice(bad))
        elif draw < 0.065:
            yield Output(topics.DOC_CHANGED, document_key(event.tenant_id, event.doc_id), None)
        elif _expires(event):
            yield codec.output(topics.DOC_CHANGED, msgspec.structs.replace(event, expires_at=EXPIRED_MS))
        else:
            yield codec.output(topics.DOC_CHANGED, event)


def _expires(event: DocChanged) -> bool:
    """The same for every repeat of an event: a revision has one content."""
    return event.operation is Operation.UPSERT and random.Random(event.event_id).random() < 0.04


def _as_output(event: BadEvent) -> Output:
    return Output(topics.DOC_CHANGED, event.key, event.value)
