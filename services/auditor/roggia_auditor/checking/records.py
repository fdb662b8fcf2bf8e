"""One record as it lies in the tables: entry, hashes and columns against each other. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from roggia_auditor import leaf as leaves
from roggia_auditor.errors import ProofError
from roggia_auditor.leaf import Leaf, Status
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import Stored
from roggia_auditor.tlog import hashes

_COLUMNS = ("event_id", "tenant", "tenant_seq", "status", "booked", "cost_pico")
"""Columns that repeat what the entry says, so that records can be found by it."""


def leaf_of(stored: Stored) -> Leaf | None:
    """What its entry says; None for one that does not read."""
    try:
        return leaves.decoded(stored.entry)
    except ProofError:
        return None


def is_value(stored: Stored) -> bool:
    """Whether the value is the one whose hash ends the entry."""
    return stored.entry.endswith(hashlib.sha256(stored.value).digest())


def wrong(stored: Stored, leaf: Leaf | None, stream: Stream) -> Iterator[str]:
    """Everything about the record that does not fit together."""
    if hashes.leaf(stored.entry) != stored.leaf_hash:
        yield "leaf_hash: it is not the hash of the entry"
    if leaf is None:
        yield "entry: it does not read"
        return
    if hashlib.sha256(stored.value).digest() != leaf.value_sha256:
        yield "value: its SHA-256 is not the one in the entry"
    if (leaf.topic_id, leaf.partition) != (stream.topic_id, stream.partition):
        yield f"entry: it is of {leaf.topic_id}/{leaf.partition}"
    for name in _COLUMNS:
        said, held = getattr(leaf, name), getattr(stored, name)
        if said != held:
            yield f"{name}: the column says {held!r}, the entry {said!r}"
    if leaf.status in {Status.RATED, Status.UNPRICED} and stored.day[:7] != leaf.period:
        yield f"day: {stored.day} is not in the month {leaf.period} of the entry"
    if (leaf.status is Status.RATED) != (leaf.cost_pico is not None):
        yield f"entry: {leaf.status.name} with the amount {leaf.cost_pico}"
